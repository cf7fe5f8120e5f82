-- Whether a pruning that a cursor does not know of took away what comes after it.
SELECT EXISTS (
    SELECT 1 FROM event WHERE run = '' AND sequence > ? AND CAST(data AS INTEGER) > ?
)
