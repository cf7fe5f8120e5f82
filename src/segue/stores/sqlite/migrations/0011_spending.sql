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
