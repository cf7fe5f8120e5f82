-- The tasks that nobody has claimed in the time they had for it, so that any worker may, longest overdue first.
SELECT run, node, item
FROM task
WHERE state = 'ready' AND queue_by <= ?
ORDER BY queue_by, run, node, item
LIMIT ?
