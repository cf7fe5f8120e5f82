-- Every version of every payload that is registered.
SELECT name, version, fingerprint FROM payload ORDER BY name, version
