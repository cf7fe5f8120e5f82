-- Let a task go on when none of its effects is in doubt any more.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), claim = NULL, due = iif(hold & 3, NULL, ?4), ready_at = ?5,
    queue_by = iif(hold & 3, NULL, ?4 + queue_seconds), settled_at = NULL, error = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3 AND state = 'in_doubt'
  AND NOT EXISTS (
    SELECT 1 FROM step
    WHERE step.run = ?1 AND step.node = ?2 AND step.item = ?3 AND step.state = 'begun'
  )
