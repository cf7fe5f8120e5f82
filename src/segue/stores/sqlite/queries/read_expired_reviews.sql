-- The tasks of open runs on which nobody has decided in time, longest overdue first.
SELECT run, node, item, agent, state, epoch, attempt, version, claim, worker, pins, ready_at, claimed_at, settled_at,
       error, failures, losses, deadline, tolerated, hold, pools, parked, requires, review_by, escalations
FROM task
WHERE state = 'needs_review' AND review_by <= ?1
  AND EXISTS (SELECT 1 FROM run WHERE run.run = task.run AND run.ended_at IS NULL)
ORDER BY review_by, run, node, item
LIMIT ?2
