"""Agents that hang in their first attempt, or in each: in the loop, in a thread, in a child process."""

from __future__ import annotations

import asyncio
import threading

from segue import agent, ctx

let_go = threading.Event()
"""Ends the threads that hang in this process, when a test is over."""


@agent
async def awaits(hangs_until: int) -> int:
    """Hang in the loop."""
    if ctx.attempt < hangs_until:
        await asyncio.Event().wait()
    return ctx.attempt


@agent
def blocks(hangs_until: int) -> int:
    """Hang in a thread."""
    if ctx.attempt < hangs_until:
        let_go.wait()
    return ctx.attempt


@agent(isolation="process")
def is_apart(hangs_until: int) -> int:
    """Hang in a child process, which nobody lets go."""
    if ctx.attempt < hangs_until:
        let_go.wait()
    return ctx.attempt
