-- What a decision on a hand-off must know of its task.
SELECT agent, state, epoch, version, escalations, review_by
FROM task
WHERE run = ? AND node = ? AND item = ?
