-- Let a worker handle events for a consumer.
UPDATE consumer SET epoch = epoch + 1, claim = ?2, worker = ?3, lease = ?4 WHERE name = ?1
