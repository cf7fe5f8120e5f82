-- Note that an event could not be handled, if whoever says so holds the consumer, and let that go.
UPDATE consumer
SET claim = NULL, worker = NULL, lease = NULL, failures = failures + 1, trouble = ?4, due = ?5, parked = ?6, error = ?7
WHERE name = ?1 AND epoch = ?2 AND claim = ?3
