-- Forget all workers: they belong to an earlier incarnation of this store.
DELETE FROM worker
