-- Pause a run, or end its pause.
UPDATE run SET hold = ?2 WHERE run = ?1
