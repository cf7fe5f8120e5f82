-- End all delays, and let the time anew in which a task is to be claimed: they were counted from an earlier start of
-- the machine.
UPDATE task SET due = 0, queue_by = ?1 + queue_seconds WHERE state = 'ready'
