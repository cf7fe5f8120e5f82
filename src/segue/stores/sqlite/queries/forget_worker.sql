-- Forget a worker that holds no claim.
DELETE FROM worker
WHERE worker = ?1 AND NOT EXISTS (SELECT 1 FROM task WHERE task.state = 'claimed' AND task.worker = ?1)
