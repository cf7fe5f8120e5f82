"""
Agents in child processes, which can be killed where a thread cannot: `@agent(isolation="process")`.

The worker's side is `pool` (children that are kept and lent), `process` (one of them), `packing` (what an attempt is
called with) and `serving` (what the agent asks for while it runs). The child's side is `child` (its main), `relay` (how
it asks) and `opening` (arguments from what was sent). `protocol` is what the two say to each other.
"""

from __future__ import annotations

from contextvars import ContextVar

importing: ContextVar[bool] = ContextVar("segue_importing", default=False)
"""Whether this is a child process that is importing an agent."""
