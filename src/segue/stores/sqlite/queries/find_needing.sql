-- The tasks that need pools, those that wait for them and those that are at work.
SELECT run, node, item, pools FROM task WHERE state = 'ready' AND pools IS NOT NULL
UNION ALL
SELECT run, node, item, pools FROM task INDEXED BY task_holding WHERE state = 'claimed' AND pools IS NOT NULL
