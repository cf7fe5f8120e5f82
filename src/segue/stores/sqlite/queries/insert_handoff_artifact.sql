-- Register an artifact that a hand-off points to.
INSERT INTO handoff_artifact (run, node, item, version, place, digest) VALUES (?, ?, ?, ?, ?, ?)
