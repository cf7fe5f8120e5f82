-- Of some agents those that have tasks that are ready, whose time has come and that need no pools.
SELECT value FROM json_each(?1) AS asked
WHERE EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND pools IS NULL AND agent = asked.value AND due <= ?2)
