-- Append an event under the next number of its run.
INSERT INTO event (run, sequence, name, task, epoch, at, data, claim)
VALUES (?1, 1 + ifnull((SELECT max(sequence) FROM event WHERE run = ?1), 0), ?2, ?3, ?4, ?5, ?6, ?7)
