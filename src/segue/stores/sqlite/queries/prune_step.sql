-- Delete what a pruned run has in the table step.
DELETE FROM step WHERE run = ?
