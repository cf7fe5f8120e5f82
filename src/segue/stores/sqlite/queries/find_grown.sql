-- A node that was appended to a run.
SELECT key, document FROM growth WHERE run = ? AND node = ?
