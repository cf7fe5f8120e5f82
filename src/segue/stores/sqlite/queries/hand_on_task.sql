-- Let a task go on with another agent, from the hand-off that the one before has left: ready again (or paused), without
-- its failures.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), claim = NULL, lease = NULL, due = iif(hold & 3, NULL, ?6), ready_at = ?7,
    queue_by = iif(hold & 3, NULL, ?6 + queue_seconds), agent = ?8, version = ?9, handoff = ?10, pins = ?11,
    failures = 0, losses = 0, pools = ?12, requires = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5
  AND (state IN ('claimed', 'ready') OR state = 'paused') AND version = ?9 - 1
