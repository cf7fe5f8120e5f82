-- Write a hand-off; there is no statement that changes one.
INSERT INTO handoff
    (run, node, item, version, epoch, claim, status, digest, schema, started_at, completed_at, output_size, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
