-- All pools.
SELECT name, capacity FROM pool ORDER BY name
