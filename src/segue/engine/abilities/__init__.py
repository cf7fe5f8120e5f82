"""What an agent can do while it runs: an ability of `ctx` in each file."""
