-- Pass a review on to the next who may decide, with the time that they have.
UPDATE task
SET escalations = escalations + 1, review_by = ?4, settled_at = ?5
WHERE run = ?1 AND node = ?2 AND item = ?3
