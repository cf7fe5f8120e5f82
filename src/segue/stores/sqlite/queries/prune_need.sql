-- Delete what a pruned run has in the table pool_need.
DELETE FROM pool_need WHERE run = ?
