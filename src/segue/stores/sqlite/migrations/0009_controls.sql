-- What people and monitors want with runs: commands that were obeyed, and pauses that stand.

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

CREATE INDEX task_paused ON task (deadline) WHERE state = 'paused';

DROP INDEX run_on_hold;

-- Tasks that were cancelled alone are looked for as well when their run ends.
DROP INDEX task_in_trouble;

CREATE INDEX task_in_trouble ON task (run, state, tolerated)
    WHERE state = 'failed' OR state = 'dead' OR state = 'needs_review' OR state = 'in_doubt' OR state = 'cancelled';
