-- Delete what a pruned run has in the table handoff_artifact.
DELETE FROM handoff_artifact WHERE run = ?
