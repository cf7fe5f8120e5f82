-- The versions of a payload that are registered, each with the fingerprint of its fields.
SELECT version, fingerprint FROM payload WHERE name = ?
