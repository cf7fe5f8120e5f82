-- The run of an event.
SELECT run FROM event WHERE position = ?
