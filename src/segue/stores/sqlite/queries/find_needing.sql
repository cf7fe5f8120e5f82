-- The tasks that need pools, those that wait for them, those that are at work, and those that are paused or in doubt.
SELECT run, node, item, pools FROM task WHERE state = 'ready' AND pools IS NOT NULL
UNION ALL
SELECT run, node, item, pools FROM task INDEXED BY task_holding WHERE state = 'claimed' AND pools IS NOT NULL
UNION ALL
SELECT run, node, item, pools FROM task
WHERE run IN (SELECT run FROM pause) AND state = 'paused' AND pools IS NOT NULL
UNION ALL
SELECT run, node, item, pools FROM task WHERE state = 'in_doubt' AND pools IS NOT NULL
