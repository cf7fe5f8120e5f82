-- Consumers of the log: monitors and subscriptions, and how far each has got.

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
