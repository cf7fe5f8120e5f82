-- Delete what a pruned run has in the table growth.
DELETE FROM growth WHERE run = ?
