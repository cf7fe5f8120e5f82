-- The tasks that wait for a decision, of runs in one of the states in which there can be some.
SELECT task.run, node, item, agent, task.state, epoch, attempt, version, claim, worker, pins, ready_at, claimed_at,
       settled_at, error, failures, losses, deadline, tolerated, task.hold, pools, parked, requires, review_by,
       escalations
FROM run CROSS JOIN task INDEXED BY task_in_trouble ON task.run = run.run AND task.state = 'needs_review'
WHERE run.state = ?
