-- The tasks that need pools, those that wait for them, those that are at work, and those that are paused or in doubt.
SELECT run, node, item, pools
FROM task INDEXED BY task_pooled
WHERE pools IS NOT NULL AND (state = 'ready' OR state = 'claimed' OR state = 'paused' OR state = 'in_doubt')
