-- The tasks that any worker may claim, to skip them, oldest first.
SELECT run, node, item
FROM task
WHERE state = 'ready' AND broken = 1 AND due <= ?
ORDER BY due, run, node, item
LIMIT ?
