-- Delete all pauses of a run that has ended or is pruned.
DELETE FROM pause WHERE run = ?
