-- Cancel a task that is open, and revoke its claim.
UPDATE task
SET state = 'cancelled', claim = NULL, lease = NULL, due = NULL, settled_at = ?4, error = ?5, tolerated = ?6,
    review_by = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3
  AND state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
RETURNING agent, epoch
