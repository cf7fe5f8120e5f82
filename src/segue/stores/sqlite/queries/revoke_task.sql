-- Take the claim of a task away that has passed its deadline, for good, if it still is the one that was found.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), claim = NULL, lease = NULL, due = iif(hold & 3, NULL, ?6), ready_at = ?7,
    queue_by = iif(hold & 3, NULL, ?6 + queue_seconds)
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND worker = ?5 AND state = 'claimed'
