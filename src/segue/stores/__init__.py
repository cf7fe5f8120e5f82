"""Where runs, tasks, hand-offs, events and artifacts are kept."""
