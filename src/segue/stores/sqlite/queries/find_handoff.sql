-- The hand-off that an attempt left.
SELECT digest FROM handoff WHERE run = ? AND node = ? AND item = ? AND epoch = ? AND claim = ?
