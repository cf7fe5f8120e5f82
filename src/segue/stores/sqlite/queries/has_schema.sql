-- Whether a schema is kept.
SELECT 1 FROM schema WHERE fingerprint = ?
