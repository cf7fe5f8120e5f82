-- Settle a task as a person decided, if nobody else decided before.
UPDATE task
SET state = ?5, version = ?4, handoff = ?6, settled_at = ?7, error = coalesce(?8, error), tolerated = ?9
WHERE run = ?1 AND node = ?2 AND item = ?3 AND version = ?4 - 1 AND state = 'needs_review'
