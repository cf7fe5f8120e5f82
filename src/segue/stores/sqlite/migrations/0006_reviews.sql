-- Reviews that are passed on to others when nobody has decided in time.

ALTER TABLE task ADD COLUMN escalations INTEGER NOT NULL DEFAULT 0;
