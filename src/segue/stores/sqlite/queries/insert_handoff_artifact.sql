-- Register an artifact that a hand-off points to.
INSERT INTO handoff_artifact (handoff, place, digest) VALUES (?, ?, ?)
