-- Note that a claim waits in the middle of its attempt, and for which nodes.
UPDATE task
SET parked = 1, awaits = ?6
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5 AND state = 'claimed'
