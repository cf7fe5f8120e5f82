-- Pause a run that has not ended, or end its pause.
UPDATE run SET hold = ?2 WHERE run = ?1 AND state IN ('running', 'needs_review')
