-- Whether a decision was written before: its id stands where other events have a claim.
SELECT name FROM event WHERE run = ? AND claim = ? AND task = ?
