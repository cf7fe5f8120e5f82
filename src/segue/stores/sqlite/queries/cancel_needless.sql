-- Cancel what is open of a run, or of one task of it with all its items, because nobody needs it any more.
UPDATE task
SET state = 'cancelled', claim = NULL, lease = NULL, due = NULL, settled_at = ?3, error = ?4, tolerated = 1,
    review_by = NULL
WHERE run = ?1 AND (?2 IS NULL OR node = ?2)
  AND state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
RETURNING node, item, agent, epoch
