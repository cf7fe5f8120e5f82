-- End a task, if the attempt that says so may still write and its hand-off is the next version. A task in doubt goes on
-- by a person's word and not by that of its attempt. The quick way leaves a task that is on hold, or parked, to the careful
-- one.
UPDATE task
SET state = ?6, version = coalesce(?7, version), handoff = coalesce(?8, handoff), lease = NULL, due = NULL,
    settled_at = ?9, error = coalesce(?10, error), tolerated = ?11, review_by = ?12,
    claim = iif(?6 = 'in_doubt', NULL, claim)
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5
  AND (state IN ('claimed', 'ready') OR state = 'paused') AND version = coalesce(?7 - 1, version) AND hold <= ?13
  AND (parked <> 1 OR ?13)
