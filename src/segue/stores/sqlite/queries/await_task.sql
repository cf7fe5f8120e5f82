-- Note that a pause lasts until a task has settled, a mapped one with its items.
UPDATE task SET hold = hold | 4 WHERE run = ?1 AND node = ?2 AND ?3 IN (-1, item)
