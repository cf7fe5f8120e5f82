-- The claims that dead workers hold or that are past their lease.
SELECT run, node, item, epoch, agent, worker
FROM task
WHERE state = 'claimed' AND (lease <= ?1 OR worker IN (SELECT value FROM json_each(?2)))
ORDER BY run, node, item
