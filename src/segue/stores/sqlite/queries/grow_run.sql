-- Count one more node of a run, and one more task that it waits for.
UPDATE run SET grown = grown + 1, waits_for = waits_for + 1 WHERE run = ? AND state IN ('running', 'needs_review')
RETURNING grown
