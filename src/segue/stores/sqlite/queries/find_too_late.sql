-- The tasks that lie ready or paused past their deadline, so that any worker may claim them, longest overdue first.
SELECT run, node, item
FROM task
WHERE state IN ('ready', 'paused', 'claimed') AND (state = 'claimed') = 0 AND deadline <= ?
ORDER BY deadline, run, node, item
LIMIT ?
