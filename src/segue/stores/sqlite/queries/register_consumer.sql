-- Make a consumer known that begins after a position, or, without one, with what comes.
INSERT INTO consumer (name, position)
VALUES (?1, coalesce(?2, (SELECT max(position) FROM event), 0))
ON CONFLICT DO NOTHING
