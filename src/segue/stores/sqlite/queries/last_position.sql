-- The last event of a run.
SELECT max(position) FROM event WHERE run = ?
