-- Delete what a pruned run has in the table allowance.
DELETE FROM allowance WHERE run = ?
