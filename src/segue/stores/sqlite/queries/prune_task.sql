-- Delete what a pruned run has in the table task.
DELETE FROM task WHERE run = ?
