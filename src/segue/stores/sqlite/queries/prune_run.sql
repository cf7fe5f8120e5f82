-- Delete what a pruned run has in the table run.
DELETE FROM run WHERE run = ?
