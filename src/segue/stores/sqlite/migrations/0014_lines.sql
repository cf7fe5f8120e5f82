-- Those of each kind and run that wait for places in pools, oldest first: whoever gives places out reads only the first ones.

CREATE INDEX task_in_line ON task (
    agent, pools, ifnull(requires, ''), losses + (claim IS NOT NULL) >= 2, run, due
) WHERE state = 'ready' AND pools IS NOT NULL;
