-- Note that a task of a run was cancelled by itself.
UPDATE run SET cut = 1 WHERE run = ?
