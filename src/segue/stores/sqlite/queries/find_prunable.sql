-- Some of the runs that ended before a time.
SELECT run FROM run WHERE ended_at < ? LIMIT ?
