-- Pools. Ready tasks that need none have an index of their own, so that a worker does not go through those that wait for
-- places. `awaits` are the nodes that a parked claim waits for, NULL if none; `parked` is 2 when they have settled and it
-- waits for its pools. `deadlocks` counts how often a claim of the task was revoked to break one.

ALTER TABLE task ADD COLUMN awaits BLOB;

ALTER TABLE task ADD COLUMN deadlocks INTEGER NOT NULL DEFAULT 0;

DROP INDEX task_ready;

CREATE INDEX task_ready ON task (agent, due) WHERE state = 'ready' AND pools IS NULL;

CREATE TABLE pool (
    name     TEXT NOT NULL PRIMARY KEY,
    capacity INTEGER NOT NULL CHECK (capacity > 0)
) STRICT, WITHOUT ROWID;

-- How many places of a pool one task of a node takes at most, whichever agent works on it.
CREATE TABLE pool_need (
    run    TEXT NOT NULL,
    node   TEXT NOT NULL,
    pool   TEXT NOT NULL,
    places INTEGER NOT NULL,
    PRIMARY KEY (run, node, pool)
) STRICT, WITHOUT ROWID;

CREATE INDEX pool_need_by_places ON pool_need (pool, places);
