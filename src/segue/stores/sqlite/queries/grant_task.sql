-- Give a ready task to a worker, or a paused one that is too late, to settle it; the only statement, beside the insertion
-- of a claimed one, that raises an epoch. A claim that is still there was lost with its worker.
UPDATE task
SET state = 'claimed', epoch = epoch + 1, attempt = attempt + 1, losses = losses + (claim IS NOT NULL), claim = ?5,
    worker = ?6, lease = ?7, due = NULL, claimed_at = ?8, pins = ?9, queue_by = ?10, parked = 0, awaits = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4
  AND (state = 'ready' OR state = 'paused' AND deadline <= ?8)
