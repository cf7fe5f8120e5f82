-- Runs and tasks that are paused, pools, readers and reviews that end. What a table checks cannot be changed: it is made
-- anew.

ALTER TABLE run ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;

ALTER TABLE run ADD COLUMN grown INTEGER NOT NULL DEFAULT 0;

CREATE INDEX run_on_hold ON run (run) WHERE hold = 1;

ALTER TABLE task RENAME TO task_before;

-- A task has a row from its first release on. `lease`, `due` and `queue_by` are seconds of the boot clock, all other
-- times of the wall clock. `claim` and `worker` are those of the last attempt that was not revoked: where a ready task
-- has a claim, that was lost with its worker, and the next claim counts the loss. `pins` is NULL until a claim has
-- looked up the latest hand-offs of `parents`. `queue_by` is kept by a claim that was given out because that time had
-- passed. `hold` says that it was paused by itself (1), with its run (2) or both: it is 'paused' where it would be
-- 'ready'. `pools` are the places that a claim takes, NULL if none; a `parked` claim has given them back. `requires` is
-- what a worker must be able to read to be given the task.
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

INSERT INTO task (
    run, node, item, agent, state, waiting, epoch, attempt, version, handoff, claim, worker, lease, due, broken,
    ready_at, claimed_at, settled_at, error, parents, pins, failures, losses, tolerated, spare, queue_seconds,
    queue_by, deadline
)
SELECT
    run, node, item, agent, state, waiting, epoch, attempt, version, handoff, claim, worker, lease, due, broken,
    ready_at, claimed_at, settled_at, error, parents, pins, failures, losses, tolerated, spare, queue_seconds,
    queue_by, deadline
FROM task_before;

DROP TABLE task_before;

CREATE INDEX task_ready ON task (agent, due) WHERE state = 'ready';

-- Of the ready tasks: those that will only be settled, and those that may have killed their workers.
CREATE INDEX task_broken ON task (due) WHERE state = 'ready' AND broken = 1;

CREATE INDEX task_queue ON task (queue_by) WHERE state = 'ready' AND queue_by IS NOT NULL;

CREATE INDEX task_deadline ON task (deadline) WHERE state = 'ready' AND deadline IS NOT NULL;

CREATE INDEX task_suspect ON task (agent, due) WHERE state = 'ready' AND losses + (claim IS NOT NULL) >= 2;

CREATE INDEX task_claimed ON task (claim, lease, worker) WHERE state = 'claimed';

CREATE INDEX task_running_out ON task (deadline) WHERE state = 'claimed' AND deadline IS NOT NULL;

CREATE INDEX task_in_trouble ON task (run, state, tolerated)
    WHERE state = 'failed' OR state = 'dead' OR state = 'needs_review' OR state = 'in_doubt';

CREATE INDEX task_pooled ON task (agent, due) WHERE state = 'ready' AND pools IS NOT NULL;

CREATE INDEX task_holding ON task (run) WHERE state = 'claimed' AND pools IS NOT NULL;

CREATE INDEX task_review ON task (review_by) WHERE state = 'needs_review' AND review_by IS NOT NULL;
