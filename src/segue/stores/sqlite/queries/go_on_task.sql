-- Note that a parked claim goes on, or (2) that it only waits for its pools now.
UPDATE task
SET parked = ?6, awaits = NULL
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5 AND state = 'claimed' AND parked <> ?6
