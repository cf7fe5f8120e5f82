-- Let the tasks of a run be on hold with it, and not the one that its pause is to last for, with its items and with what
-- they have delegated, though an earlier pause may have stopped them: that is named after them (`plan/search.1`,
-- `plan[3]/search.1`).
UPDATE task
SET hold = iif(
    ?2 IS NULL
        OR NOT (node = ?2 AND ?3 IN (-1, item) OR instr(node, ?4) = 1 OR ?3 = -1 AND instr(node, ?2 || '[') = 1),
    hold | 2,
    hold & ~2
)
WHERE run = ?1
