-- Delete what a pruned run has in the table command.
DELETE FROM command WHERE run = ?
