-- Take a task from whoever has it, for good, and give it to whoever comes, maybe of another agent.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), claim = NULL, lease = NULL, due = iif(hold & 3, NULL, ?4), ready_at = ?5,
    queue_by = iif(hold & 3, NULL, ?4 + queue_seconds), agent = coalesce(?6, agent),
    pools = iif(?6 IS NULL, pools, ?7), requires = iif(?6 IS NULL, requires, NULL), failures = 0,
    losses = 0
WHERE run = ?1 AND node = ?2 AND item = ?3 AND state IN ('ready', 'claimed', 'paused')
  AND (claim IS NOT NULL OR ?6 IS NOT NULL)
