-- Events of one run after a position, found from its newest event backwards.
SELECT position, run, sequence, name, task, epoch, at, data
FROM event
WHERE run = ?1 AND sequence > ifnull(
    (SELECT sequence FROM event WHERE run = ?1 AND position <= ?2 ORDER BY sequence DESC LIMIT 1), 0
)
ORDER BY sequence
LIMIT ?3
