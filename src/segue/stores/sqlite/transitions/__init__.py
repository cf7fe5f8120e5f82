"""What happens inside a transaction: each file is one kind of change to runs and tasks."""
