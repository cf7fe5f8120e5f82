-- Whether a deadlock was told by the claim of its victim.
SELECT 1 FROM event WHERE run = ? AND name = ? AND claim = ?
