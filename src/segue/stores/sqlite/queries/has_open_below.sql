-- Whether a task has not settled that was delegated under a name, or one that was delegated below it: that is named after it.
SELECT EXISTS (
        SELECT 1 FROM task
        WHERE run = ?1 AND node = ?2
          AND state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
    )
    OR EXISTS (
        SELECT 1 FROM task
        WHERE run = ?1 AND node > ?2 || '/' AND node < ?2 || '0'
          AND state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
    )
