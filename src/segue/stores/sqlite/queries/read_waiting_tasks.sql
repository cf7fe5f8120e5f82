-- All tasks of a run, without pools where they are only to be settled and take none.
SELECT run, node, item, agent, state, epoch, attempt, version, claim, worker, pins, ready_at, claimed_at, settled_at,
       error, failures, losses, deadline, tolerated, hold,
       iif(
           broken = 1
           OR state IN ('ready', 'paused') AND (ifnull(queue_by <= ?2, 0) OR ifnull(deadline <= ?3, 0))
           OR state = 'claimed' AND (queue_by IS NOT NULL OR ifnull(deadline <= claimed_at, 0)),
           NULL, pools
       ),
       parked, requires, review_by, escalations, awaits, parked = 2, deadlocks
FROM task
WHERE run = ?1
ORDER BY node, item
