-- Versions of payloads, and tasks that only some workers can read.

-- Which fields a version of a payload stands for, for ever: `fingerprint` is that of the JSON Schema of its own fields,
-- which is among the schemas.
CREATE TABLE payload (
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_requiring ON task (requires, agent, due) WHERE state = 'ready' AND requires IS NOT NULL;
