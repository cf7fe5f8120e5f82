-- Whether anything runs of a run, but for the task that its pause is to last for.
SELECT EXISTS (
    SELECT 1 FROM task
    WHERE run = ?1 AND state = 'claimed' AND (?2 IS NULL OR node <> ?2 OR ?3 <> -1 AND item <> ?3)
)
