-- The needs of a run that their pools cannot meet.
SELECT node, pool, places, ifnull((SELECT capacity FROM pool WHERE name = pool_need.pool), 0) AS there
FROM pool_need
WHERE run = ?1 AND places > there
