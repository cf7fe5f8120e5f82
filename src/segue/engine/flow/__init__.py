"""What goes round: runs are submitted, tasks claimed, what ended is committed, and a worker leaves."""
