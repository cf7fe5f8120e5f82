-- Fewer indexes of tasks: each costs every task that is begun or ended a little, also where it has no place in it.

DROP INDEX task_ready;
DROP INDEX task_broken;
DROP INDEX task_queue;
DROP INDEX task_deadline;
DROP INDEX task_suspect;
DROP INDEX task_running_out;
DROP INDEX task_pooled;
DROP INDEX task_in_line;
DROP INDEX task_holding;
DROP INDEX task_requiring;
DROP INDEX task_review;

CREATE INDEX task_ready ON task (pools IS NOT NULL, agent, due) WHERE state = 'ready';

CREATE INDEX task_broken ON task (due) WHERE broken = 1 AND state = 'ready';

CREATE INDEX task_queue ON task (queue_by) WHERE queue_by IS NOT NULL AND state = 'ready';

CREATE INDEX task_apart ON task (requires, agent, due)
    WHERE state = 'ready' AND (requires IS NOT NULL OR losses + (claim IS NOT NULL) >= 2);

CREATE INDEX task_deadline ON task (state = 'claimed', deadline)
    WHERE deadline IS NOT NULL AND state IN ('ready', 'paused', 'claimed');

CREATE INDEX task_pooled ON task (
    state, agent, pools, ifnull(requires, ''), losses + (claim IS NOT NULL) >= 2, run, due
) WHERE pools IS NOT NULL AND (state = 'ready' OR state = 'claimed' OR state = 'paused' OR state = 'in_doubt');

CREATE INDEX task_review ON task (review_by) WHERE review_by IS NOT NULL AND state = 'needs_review';
