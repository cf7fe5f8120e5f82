-- End an attempt but not its task: ready again at a time, the claim revoked.
UPDATE task
SET state = 'ready', claim = NULL, lease = NULL, due = ?6, ready_at = ?7, attempt = attempt - ?8,
    error = coalesce(?9, error)
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5 AND state IN ('claimed', 'ready')
