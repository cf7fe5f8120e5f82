"""What users say about running agents and runs, as they write it and as a graph pins it."""
