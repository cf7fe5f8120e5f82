-- What tasks remember across their attempts: finished steps, and effects with their outcome.

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
