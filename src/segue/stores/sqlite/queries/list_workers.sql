-- All known workers.
SELECT worker, about FROM worker ORDER BY worker
