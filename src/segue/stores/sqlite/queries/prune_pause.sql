-- Delete what a pruned run has in the table pause.
DELETE FROM pause WHERE run = ?
