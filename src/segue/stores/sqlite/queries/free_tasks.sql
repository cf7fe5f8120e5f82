-- Let no task of a run be on hold in these ways.
UPDATE task SET hold = hold & ~?2 WHERE run = ?1 AND hold & ?2
