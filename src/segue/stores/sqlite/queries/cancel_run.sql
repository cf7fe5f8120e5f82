-- Cancel a run that has not ended.
UPDATE run SET state = 'cancelled', ended_at = ?2 WHERE run = ?1 AND state IN ('running', 'needs_review')
