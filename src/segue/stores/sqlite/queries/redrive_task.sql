-- Begin a task anew that was given up, or skipped for one that was: ready (or paused), or waiting for so many hand-offs.
-- Its inputs are kept if it had them all.
UPDATE task
SET agent = ?5, state = CASE WHEN ?6 > 0 THEN 'waiting' WHEN hold & 3 THEN 'paused' ELSE 'ready' END, waiting = max(?6, 0),
    spare = ?7, broken = 0, claim = NULL, due = iif(?6 > 0 OR hold & 3, NULL, ?8), ready_at = iif(?6 > 0, NULL, ?9),
    settled_at = NULL, error = NULL, failures = 0, losses = 0, tolerated = 0, escalations = 0, deadlocks = 0,
    queue_seconds = ?10, queue_by = iif(?6 > 0 OR hold & 3, NULL, ?11), deadline = iif(?6 > 0, NULL, ?12),
    pins = iif(broken, NULL, pins), pools = ?13, requires = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4
  AND state IN ('failed', 'dead', 'cancelled', 'skipped', 'waiting')
