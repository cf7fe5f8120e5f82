-- Whether anything of a task has not settled: a mapped one has, when all its items have.
SELECT EXISTS (
    SELECT 1 FROM task
    WHERE run = ?1 AND node = ?2 AND ?3 IN (-1, item)
      AND state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
)
