-- Whether there can be a deadlock: a claim is parked and keeps places meanwhile, or a pause is to end with a task.
SELECT EXISTS (
        SELECT 1
        FROM task INDEXED BY task_pooled
        WHERE state = 'claimed' AND pools IS NOT NULL AND parked > 0
          AND EXISTS (SELECT 1 FROM json_each(task.pools) WHERE json_extract(value, '$[2]'))
    )
    OR EXISTS (SELECT 1 FROM pause WHERE until_node IS NOT NULL)
