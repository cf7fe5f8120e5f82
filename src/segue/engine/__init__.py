"""What moves hand-offs along: claims ready tasks, runs agents, commits what they hand over."""
