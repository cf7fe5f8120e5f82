-- The tables of a store, as all migrations together make them.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE graph (
    digest TEXT NOT NULL PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT;

CREATE TABLE schema (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    body        TEXT NOT NULL
) STRICT;

-- Which fields a version of a payload stands for, for ever: `fingerprint` is that of the JSON Schema of its own fields,
-- which is among the schemas.
CREATE TABLE payload (
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    run          TEXT NOT NULL PRIMARY KEY,
    key          TEXT UNIQUE,
    workflow     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'needs_review', 'complete', 'failed', 'cancelled')),
    waits_for    INTEGER NOT NULL,
    graph_digest TEXT NOT NULL,
    input        TEXT NOT NULL,
    options      TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    ended_at     REAL,
    hold         INTEGER NOT NULL DEFAULT 0,
    grown        INTEGER NOT NULL DEFAULT 0,
    cut          INTEGER NOT NULL DEFAULT 0,
    CHECK ((state IN ('running', 'needs_review')) = (ended_at IS NULL))
) STRICT;

CREATE INDEX run_by_state ON run (state, run);

-- A task has a row from its first release on. `lease`, `due` and `queue_by` are seconds of the boot clock, all other
-- times of the wall clock. `claim` and `worker` are those of the last attempt that was not revoked: where a ready task
-- has a claim, that was lost with its worker, and the next claim counts the loss. `pins` is NULL until a claim has
-- looked up the latest hand-offs of `parents`. `queue_by` is kept by a claim that was given out because that time had
-- passed. `hold` says that it was paused by itself (1), with its run (2) or both: it is 'paused' where it would be
-- 'ready'. 4 says that a pause is to end when it has settled, 8 that it, or one that it is below, has given away a share of
-- a budget. `pools` are the places that a claim takes, NULL if none; a
-- `parked` claim has given them back. `requires` is what a worker must be able to read to be given the task. `awaits` are
-- the nodes that a parked claim waits for, NULL if none; `parked` is 2 when they have settled and it waits for its pools.
-- `deadlocks` counts how often a claim of the task was revoked to break one.
CREATE TABLE task (
    run           TEXT NOT NULL,
    node          TEXT NOT NULL,
    item          INTEGER NOT NULL,
    agent         TEXT NOT NULL,
    state         TEXT NOT NULL,
    waiting       INTEGER NOT NULL,
    epoch         INTEGER NOT NULL DEFAULT 0,
    attempt       INTEGER NOT NULL DEFAULT 0,
    version       INTEGER NOT NULL DEFAULT 0,
    handoff       INTEGER,
    claim         TEXT,
    worker        TEXT,
    lease         REAL,
    due           REAL,
    broken        INTEGER NOT NULL,
    ready_at      REAL,
    claimed_at    REAL,
    settled_at    REAL,
    error         TEXT,
    parents       BLOB,
    pins          BLOB,
    failures      INTEGER NOT NULL DEFAULT 0,
    losses        INTEGER NOT NULL DEFAULT 0,
    tolerated     INTEGER NOT NULL DEFAULT 0,
    spare         INTEGER,
    queue_seconds REAL,
    queue_by      REAL,
    deadline      REAL,
    hold          INTEGER NOT NULL DEFAULT 0,
    pools         BLOB,
    parked        INTEGER NOT NULL DEFAULT 0,
    requires      TEXT,
    review_by     REAL,
    escalations   INTEGER NOT NULL DEFAULT 0,
    awaits        BLOB,
    deadlocks     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, node, item),
    CHECK (CASE state
        WHEN 'claimed' THEN lease IS NOT NULL AND claim IS NOT NULL AND worker IS NOT NULL AND due IS NULL
        WHEN 'complete' THEN lease IS NULL AND due IS NULL
        WHEN 'ready' THEN due IS NOT NULL AND lease IS NULL
        WHEN 'waiting' THEN waiting > 0 AND lease IS NULL AND due IS NULL
        ELSE lease IS NULL AND due IS NULL AND state IN (
            'failed', 'dead', 'needs_review', 'in_doubt', 'skipped', 'expanded', 'cancelled', 'paused'
        )
    END)
) STRICT, WITHOUT ROWID;

-- An index costs every task that is begun or ended a little, also where it has no place in it: so there are few, and what a
-- task rarely has is asked for first. Ready tasks that need pools are apart, so that a worker does not go through those
-- that wait for places.
CREATE INDEX task_ready ON task (pools IS NOT NULL, agent, due) WHERE state = 'ready';

-- Of the ready tasks: those that will only be settled, and those that may have killed their workers or that not every
-- worker can read.
CREATE INDEX task_broken ON task (due) WHERE broken = 1 AND state = 'ready';

CREATE INDEX task_queue ON task (queue_by) WHERE queue_by IS NOT NULL AND state = 'ready';

CREATE INDEX task_apart ON task (requires, agent, due)
    WHERE state = 'ready' AND (requires IS NOT NULL OR losses + (claim IS NOT NULL) >= 2);

-- Of those that lie, ready or paused, which will only be settled past their deadline, and of those that are claimed.
CREATE INDEX task_deadline ON task (state = 'claimed', deadline)
    WHERE deadline IS NOT NULL AND state IN ('ready', 'paused', 'claimed');

CREATE INDEX task_claimed ON task (claim, lease, worker) WHERE state = 'claimed';

CREATE INDEX task_in_trouble ON task (run, state, tolerated)
    WHERE state = 'failed' OR state = 'dead' OR state = 'needs_review' OR state = 'in_doubt' OR state = 'cancelled';

-- What needs pools: the ready ones in each run, for each kind between which only the run and the age decide, those that hold
-- places, and those that may come to.
CREATE INDEX task_pooled ON task (
    state, agent, pools, ifnull(requires, ''), losses + (claim IS NOT NULL) >= 2, run, due
) WHERE pools IS NOT NULL AND (state = 'ready' OR state = 'claimed' OR state = 'paused' OR state = 'in_doubt');

CREATE INDEX task_review ON task (review_by) WHERE review_by IS NOT NULL AND state = 'needs_review';

-- A hand-off is written once and never changed. A task names its latest, and each version the one before: so there is
-- no index to keep, and settling a task writes a page less. `claim` is NULL where a person decided.
CREATE TABLE handoff (
    id           INTEGER PRIMARY KEY,
    previous     INTEGER,
    version      INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    claim        TEXT,
    status       TEXT NOT NULL,
    digest       TEXT NOT NULL,
    schema       TEXT NOT NULL,
    started_at   REAL NOT NULL,
    completed_at REAL NOT NULL,
    output_size  INTEGER NOT NULL,
    body         BLOB NOT NULL
) STRICT;

CREATE TABLE handoff_artifact (
    handoff INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    digest  TEXT NOT NULL,
    PRIMARY KEY (handoff, place)
) STRICT, WITHOUT ROWID;

-- `claim` is that of the attempt that wrote last, NULL where a person decided. `body` is the JSON of the result; it is NULL
-- where there is none yet, and where it is too large: then it is the first of `artifacts`, an array of digests.
CREATE TABLE step (
    run       TEXT NOT NULL,
    node      TEXT NOT NULL,
    item      INTEGER NOT NULL,
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    state     TEXT NOT NULL,
    key       TEXT NOT NULL,
    body      BLOB,
    epoch     INTEGER NOT NULL,
    claim     TEXT,
    at        REAL NOT NULL,
    artifacts BLOB,
    PRIMARY KEY (run, node, item, name),
    CHECK (kind = 'effect' AND state IN ('begun', 'done', 'withdrawn') OR kind = 'step' AND state = 'done')
) STRICT, WITHOUT ROWID;

-- `asked` is what a command had asked for: the same command asks for the same, and is obeyed once.
CREATE TABLE command (
    run     TEXT NOT NULL,
    command TEXT NOT NULL,
    asked   TEXT NOT NULL,
    PRIMARY KEY (run, command)
) STRICT, WITHOUT ROWID;

-- The pause of the run itself has no node (''). It ends by itself when the task of `until_node` and `until_item` settles.
CREATE TABLE pause (
    run        TEXT NOT NULL,
    node       TEXT NOT NULL,
    item       INTEGER NOT NULL,
    until_node TEXT,
    until_item INTEGER,
    data       TEXT NOT NULL,
    at         REAL NOT NULL,
    PRIMARY KEY (run, node, item)
) STRICT, WITHOUT ROWID;

-- `claim` says who ended an attempt without a hand-off, so that a repeated call is recognised. Events of the run ''
-- are the prunings: their sequence counts them, their data is the last position that went, and because the newest
-- of them stays, a position is never given out twice (AUTOINCREMENT would say so too, for one more page a commit).
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    run      TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    name     TEXT NOT NULL,
    task     TEXT,
    epoch    INTEGER,
    at       REAL NOT NULL,
    data     TEXT,
    claim    TEXT
) STRICT;

CREATE UNIQUE INDEX event_in_run ON event (run, sequence);

-- The nodes that were appended to the graph of a run by tasks that delegated. `key` is what a task finds its delegations
-- again by.
CREATE TABLE growth (
    run         TEXT NOT NULL,
    number      INTEGER NOT NULL,
    node        TEXT NOT NULL,
    parent      TEXT NOT NULL,
    parent_item INTEGER NOT NULL,
    key         TEXT NOT NULL,
    document    TEXT NOT NULL,
    PRIMARY KEY (run, number),
    UNIQUE (run, node)
) STRICT, WITHOUT ROWID;

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

-- What an account of a run may spend of a unit. The run's own has the empty name, that of a delegation is named like its node.
CREATE TABLE allowance (
    run      TEXT NOT NULL,
    account  TEXT NOT NULL,
    unit     TEXT NOT NULL,
    cap      INTEGER NOT NULL,
    spent    INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, account, unit),
    CHECK (spent >= 0 AND reserved >= 0 AND spent + reserved <= cap)
) STRICT, WITHOUT ROWID;

-- What a task has reserved under a name, for itself or as the share of a delegation (`child`). `parts` is JSON: unit, account
-- and amount of each; `spent` is what took its place, NULL while it is open.
CREATE TABLE reservation (
    run   TEXT NOT NULL,
    node  TEXT NOT NULL,
    item  INTEGER NOT NULL,
    name  TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    child TEXT,
    parts TEXT NOT NULL,
    spent TEXT,
    PRIMARY KEY (run, node, item, name)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX reservation_of_child ON reservation (run, child) WHERE child IS NOT NULL;

CREATE TABLE worker (
    worker TEXT NOT NULL PRIMARY KEY,
    about  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who reads the log durably: everything up to `position` is done with. `claim` and `worker` say who handles events at
-- present, until `lease`; `lease` and `due` are seconds of the boot clock. `trouble` is the position of the event that
-- could not be handled, `failures` times so far, and `error` why; it is tried again when it is `due`, or, if the consumer
-- is `parked`, when a person says so.
CREATE TABLE consumer (
    name     TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL,
    epoch    INTEGER NOT NULL DEFAULT 0,
    claim    TEXT,
    worker   TEXT,
    lease    REAL,
    due      REAL NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    parked   INTEGER NOT NULL DEFAULT 0,
    trouble  INTEGER,
    error    TEXT,
    CHECK ((claim IS NULL) = (lease IS NULL) AND (claim IS NULL) = (worker IS NULL))
) STRICT, WITHOUT ROWID;
