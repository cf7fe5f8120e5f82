-- Give a ready task to a worker; the only statement, beside the insertion of a claimed one, that raises an epoch.
UPDATE task
SET state = 'claimed', epoch = epoch + 1, attempt = attempt + 1, claim = ?5, worker = ?6, lease = ?7, due = NULL,
    claimed_at = ?8, pins = ?9
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND state = 'ready'
