-- Note that a task has given a share of a budget away.
UPDATE task SET hold = hold | 8 WHERE run = ? AND node = ? AND item = ?
