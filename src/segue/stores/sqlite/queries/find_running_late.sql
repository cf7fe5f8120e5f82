-- The claims that were given out before the deadline of their task, which has passed since.
SELECT run, node, item, epoch, agent, worker
FROM task
WHERE state IN ('ready', 'paused', 'claimed') AND (state = 'claimed') = 1 AND deadline <= ?1 AND claimed_at < deadline
