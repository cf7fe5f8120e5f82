-- Let no task of a run be on hold with it.
UPDATE task SET hold = hold & ~2 WHERE run = ? AND hold & 2
