-- All artifacts that a hand-off points to.
SELECT DISTINCT digest FROM handoff_artifact ORDER BY digest
