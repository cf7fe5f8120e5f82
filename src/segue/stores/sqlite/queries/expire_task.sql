-- Take a claim back, if it still is the one that was found; its id stays, for a late result, and tells of the loss.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), lease = NULL, due = iif(hold & 3, NULL, ?6), ready_at = ?7,
    queue_by = iif(hold & 3, NULL, ?6 + queue_seconds)
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND worker = ?5 AND state = 'claimed'
