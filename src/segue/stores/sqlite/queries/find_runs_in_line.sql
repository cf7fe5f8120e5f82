-- The runs in which tasks of one kind are ready, so many at most: one step in the index for each, however many tasks it has.
WITH RECURSIVE line (run) AS (
    SELECT (
        SELECT run FROM task INDEXED BY task_pooled
        WHERE state = 'ready' AND pools IS NOT NULL AND agent = ?1 AND pools = ?2 AND ifnull(requires, '') = ?3
          AND (losses + (claim IS NOT NULL) >= 2) = ?4
        ORDER BY run LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT run FROM task INDEXED BY task_pooled
        WHERE state = 'ready' AND pools IS NOT NULL AND agent = ?1 AND pools = ?2 AND ifnull(requires, '') = ?3
          AND (losses + (claim IS NOT NULL) >= 2) = ?4
          AND run > line.run
        ORDER BY run LIMIT 1
    )
    FROM line
    WHERE run IS NOT NULL
)
SELECT run FROM line WHERE run IS NOT NULL LIMIT ?5
