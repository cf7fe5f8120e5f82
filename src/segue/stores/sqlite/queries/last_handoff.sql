-- The number of the newest hand-off.
SELECT ifnull(max(id), 0) FROM handoff
