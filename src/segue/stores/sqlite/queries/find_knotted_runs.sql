-- The runs in which tasks need pools, some that wait for places and some that are at work, or pauses end with a task.
SELECT run FROM task INDEXED BY task_pooled WHERE state = 'ready' AND pools IS NOT NULL
UNION
SELECT run FROM task INDEXED BY task_pooled WHERE state = 'claimed' AND pools IS NOT NULL
UNION
SELECT run FROM pause WHERE until_node IS NOT NULL
