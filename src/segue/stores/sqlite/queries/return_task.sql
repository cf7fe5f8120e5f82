-- End an attempt but not its task: ready again at a time (or paused), the claim revoked, and maybe for another agent.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), claim = NULL, lease = NULL, due = iif(hold & 3, NULL, ?6), ready_at = ?7,
    queue_by = iif(hold & 3, NULL, ?6 + queue_seconds),
    attempt = attempt - (?8 IN ('handed_back', 'unreadable')), agent = coalesce(?9, agent), error = coalesce(?10, error),
    failures = CASE ?8 WHEN 'retry' THEN failures + 1 WHEN 'reassigned' THEN 0 ELSE failures END,
    losses = iif(?8 = 'reassigned', 0, losses), pools = iif(?8 = 'reassigned', ?11, pools),
    requires = iif(?8 = 'reassigned', NULL, coalesce(?12, requires)),
    deadlocks = deadlocks + (?8 = 'deadlocked')
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5
  AND (state IN ('claimed', 'ready') OR state = 'paused')
