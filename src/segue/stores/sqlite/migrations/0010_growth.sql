-- Nodes that were appended to the graph of a run by tasks that delegated.
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
