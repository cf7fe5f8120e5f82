-- A schema by its fingerprint.
SELECT body FROM schema WHERE fingerprint = ?
