-- The state of a run.
SELECT state FROM run WHERE run = ?
