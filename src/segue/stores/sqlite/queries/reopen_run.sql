-- Let a run go on that has ended or needs a review, until so many more of its tasks are settled.
UPDATE run
SET state = 'running', ended_at = NULL, waits_for = ?2
WHERE run = ?1 AND state IN ('complete', 'failed', 'needs_review')
