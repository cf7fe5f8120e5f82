"""Pictures of graphs: as text, Mermaid, DOT and JSON, with what crosses each edge and how it stands in a run."""
