-- A step or effect of a task, with the claim of the attempt that wrote it.
SELECT name, kind, state, key, body, epoch, at, artifacts, claim
FROM step
WHERE run = ? AND node = ? AND item = ? AND name = ?
