-- Events after a position.
SELECT position, run, sequence, name, task, epoch, at, data
FROM event
WHERE position > ? AND run <> ''
ORDER BY position
LIMIT ?
