-- Note how far a consumer has got, if whoever says so holds it; without a lease it is let go.
UPDATE consumer
SET position = max(position, ?4), lease = ?5, claim = iif(?5 IS NULL, NULL, claim), worker = iif(?5 IS NULL, NULL, worker),
    due = iif(?4 > position, 0, due), failures = iif(?4 > position, 0, failures),
    trouble = iif(?4 > position, NULL, trouble), error = iif(?4 > position, NULL, error)
WHERE name = ?1 AND epoch = ?2 AND claim = ?3
