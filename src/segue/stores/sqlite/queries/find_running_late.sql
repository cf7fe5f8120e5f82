-- The claims that were given out before the deadline of their task, which has passed since, and the tasks that have
-- passed it while they were paused.
SELECT run, node, item, epoch, agent, worker
FROM task
WHERE state = 'claimed' AND deadline <= ?1 AND claimed_at < deadline
UNION ALL
SELECT run, node, item, epoch, agent, coalesce(worker, '')
FROM task
WHERE state = 'paused' AND deadline <= ?1
