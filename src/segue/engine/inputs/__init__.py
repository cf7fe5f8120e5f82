"""What an agent is called with: from the pins of a claim to typed arguments."""
