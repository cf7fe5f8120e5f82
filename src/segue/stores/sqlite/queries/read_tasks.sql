-- All tasks of a run.
SELECT run, node, item, agent, state, epoch, attempt, version, claim, worker, pins, ready_at, claimed_at, settled_at,
       error, failures, losses, deadline, tolerated, hold, pools, parked, requires, review_by,
       escalations, awaits, parked = 2, deadlocks
FROM task
WHERE run = ?
ORDER BY node, item
