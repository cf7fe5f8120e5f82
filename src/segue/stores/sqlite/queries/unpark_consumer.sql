-- Let a parked consumer go on, with the event that it came to grief on or past it.
UPDATE consumer
SET position = iif(?2, trouble, position), parked = 0, failures = 0, due = 0, trouble = NULL, error = NULL
WHERE name = ?1 AND parked = 1
