-- Of some agents those that have tasks that are ready, whose time has come and that need no pools; and whether they have
-- suspects that every worker can read, such as need pools among them.
SELECT value, EXISTS (
        SELECT 1 FROM task
        WHERE state = 'ready' AND requires IS NULL AND agent = asked.value AND due <= ?2 AND losses + (claim IS NOT NULL) >= 2
    )
FROM json_each(?1) AS asked
WHERE EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND (pools IS NOT NULL) = 0 AND agent = asked.value AND due <= ?2)
