-- The claims that dead workers hold or that are past their lease.
SELECT run, node, item, epoch, agent, worker
FROM task INDEXED BY task_claimed
WHERE state = 'claimed' AND (lease <= ?1 OR worker IN (SELECT value FROM json_each(?2)))
