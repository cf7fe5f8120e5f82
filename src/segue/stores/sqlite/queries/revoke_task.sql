-- Take the claim of a task away that has passed its deadline, for good, if it still is the one that was found; one that
-- is paused is ready as well, for it is only to be settled.
UPDATE task
SET state = 'ready', claim = NULL, lease = NULL, due = ?6, ready_at = ?7, queue_by = ?6 + queue_seconds
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND coalesce(worker, '') = ?5
  AND state IN ('claimed', 'paused')
