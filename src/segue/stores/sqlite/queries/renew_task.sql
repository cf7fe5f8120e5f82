-- Lengthen the lease of a live claim.
UPDATE task
SET lease = ?6
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5 AND state = 'claimed'
