-- Note that a run waits for fewer tasks now, and end it with the last one.
UPDATE run
SET waits_for = waits_for - ?2,
    ended_at = iif(waits_for > ?2, NULL, ?3),
    state = CASE
        WHEN waits_for > ?2 THEN state
        WHEN EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'failed' AND task.tolerated = 0)
            OR EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'dead' AND task.tolerated = 0)
            OR cut AND EXISTS (
                SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'cancelled' AND task.tolerated = 0
            )
        THEN 'failed'
        ELSE 'complete'
    END
WHERE run = ?1 AND state IN ('running', 'needs_review')
RETURNING state, cut, EXISTS (SELECT 1 FROM pause WHERE pause.run = ?1)
