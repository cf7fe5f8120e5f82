-- Whether a claim stands and is parked, and what it needs.
SELECT agent, parked, pools, awaits
FROM task
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5 AND state = 'claimed'
