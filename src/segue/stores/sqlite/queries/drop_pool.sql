-- Take a pool away.
DELETE FROM pool WHERE name = ?
