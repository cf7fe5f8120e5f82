-- Let what is open of a task be on hold by itself, of a mapped one all its items, if it is not so yet or is to be
-- interrupted.
UPDATE task
SET hold = hold | 1
WHERE run = ?1 AND node = ?2 AND ?3 IN (-1, item) AND (NOT hold & 1 OR ?4 AND state = 'claimed')
  AND state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
RETURNING node, item, agent, epoch
