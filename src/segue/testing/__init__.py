"""For tests: a clock that one moves by hand, and the suite that every store must pass."""

from segue.testing.clock import ManualClock

__all__ = ["ManualClock"]
