-- Delete what a pruned run has in the table handoff.
DELETE FROM handoff WHERE run = ?
