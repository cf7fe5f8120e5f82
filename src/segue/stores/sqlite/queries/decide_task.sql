-- Settle a task as it was decided: by a person, or by the terms of its review.
UPDATE task
SET state = ?5, version = ?4, handoff = ?6, settled_at = ?7, error = coalesce(?8, error), tolerated = ?9,
    review_by = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3
