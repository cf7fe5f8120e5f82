-- What a transition must know of one task.
SELECT agent, state, epoch, attempt, version, claim, pins, parents, broken, claimed_at,
       failures, losses, queue_by, deadline
FROM task
WHERE run = ? AND node = ? AND item = ?
