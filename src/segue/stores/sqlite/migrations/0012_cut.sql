-- Whether a task of a run was cancelled by itself: then others may be open when the last one settles that the run waits
-- for, and are cancelled with its end.

ALTER TABLE run ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;
