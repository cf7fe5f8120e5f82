-- Let the tasks of a run be on hold with it, but for the one that its pause is to last for, with its items.
UPDATE task
SET hold = hold | 2
WHERE run = ?1 AND (?2 IS NULL OR node <> ?2 OR ?3 <> -1 AND item <> ?3)
