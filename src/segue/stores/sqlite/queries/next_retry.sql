-- When the next task of an agent falls due, of those that were not due at the last look.
SELECT min(due)
FROM (
    SELECT min(due) AS due FROM task WHERE state = 'ready' AND (pools IS NOT NULL) = 0 AND agent = ?1 AND due > ?2
    UNION ALL
    SELECT min(due) FROM task WHERE state = 'ready' AND (pools IS NOT NULL) = 1 AND agent = ?1 AND due > ?2
)
