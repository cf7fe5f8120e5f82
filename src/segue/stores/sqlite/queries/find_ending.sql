-- How an attempt ended that left no hand-off.
SELECT name FROM event WHERE run = ? AND claim = ? AND epoch = ? AND task = ?
