-- What grows with all that happens in a run: the sum of the epochs and versions of its tasks.
SELECT ifnull(sum(epoch + version), 0) FROM task WHERE run = ?
