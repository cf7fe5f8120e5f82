"""Values and decisions: what a hand-off is and what must be written next. No I/O, no clock, no randomness."""
