-- What is paused stays so past its deadline, and is claimed as it lies, to be settled: it used to be made ready for that.

UPDATE task SET state = 'paused', due = NULL, queue_by = NULL
WHERE state = 'ready' AND deadline IS NOT NULL AND hold & 3;

DROP INDEX task_deadline;

DROP INDEX task_paused;

CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL AND state IN ('ready', 'paused');
