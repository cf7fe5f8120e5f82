-- Cancel a task that is open, and revoke its claim.
UPDATE task
SET state = 'cancelled', claim = NULL, lease = NULL, due = NULL, settled_at = ?4, error = ?5, tolerated = ?6,
    review_by = NULL, version = coalesce(?7, version), handoff = coalesce(?8, handoff)
WHERE run = ?1 AND node = ?2 AND item = ?3
