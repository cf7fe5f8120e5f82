-- Delete what a pruned run has in the table event.
DELETE FROM event WHERE run = ?
