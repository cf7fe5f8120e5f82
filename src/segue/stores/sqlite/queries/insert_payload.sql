-- Register a version of a payload.
INSERT INTO payload (name, version, fingerprint) VALUES (?, ?, ?)
