"""For tests: a clock that one moves by hand, an auditor, and the suite that every store must pass."""

from segue.testing.auditing import audit
from segue.testing.clock import ManualClock
from segue.testing.ledger import Ledger, missing

__all__ = ["Ledger", "ManualClock", "audit", "missing"]
