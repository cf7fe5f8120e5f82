-- Record what a running attempt has taken as an input.
UPDATE task SET pins = ?4 WHERE run = ?1 AND node = ?2 AND item = ?3
