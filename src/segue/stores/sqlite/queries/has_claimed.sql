-- Whether anything runs of a run, but for the task that its pause is to last for, with its items and what they have
-- delegated.
SELECT EXISTS (
    SELECT 1 FROM task
    WHERE run = ?1 AND state = 'claimed' AND (
        ?2 IS NULL
        OR NOT (node = ?2 AND ?3 IN (-1, item) OR instr(node, ?4) = 1 OR ?3 = -1 AND instr(node, ?2 || '[') = 1)
    )
)
