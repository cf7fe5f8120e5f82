-- Let the consumers go that dead workers hold.
UPDATE consumer SET claim = NULL, worker = NULL, lease = NULL WHERE worker IN (SELECT value FROM json_each(?1))
