-- Whether a deadlock was told under an id.
SELECT 1 FROM event WHERE run = ? AND name = ? AND claim = ?
