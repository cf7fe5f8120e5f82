"""
The part of the story in which agents decide who goes on: one keeps a place of a pool and delegates with a share of what
it may spend, the next hands on, the last pays.
"""

from __future__ import annotations

from segue.domain.envelope.hand_to import HandTo
from segue.domain.graph.agent import agent
from segue.domain.settings.pools import Pool
from segue.domain.settings.spending import Spending
from segue.engine.context import ctx
from segue.testing.chaos.outside import call_model, note, pay

DESK = "desk"
"""The pool. Who runs an errand keeps a place of it, and who is asked for one needs another: they can get stuck."""

DESKS = 64
"""Places of it, enough for everybody."""

BUDGET = Spending(tokens=100_000, handoffs=1_000)
"""What a run may spend: attempts that are lost in the middle of a call have spent what they had set aside."""

LOSSES = 100
"""How often each may be lost with its worker: whoever waits for another is there for long, where workers die often."""

_SHARE = Spending(tokens=50_000)


@agent(pools={DESK: Pool(1, keep=True)}, losses=LOSSES)
async def errand(numbers: list[int]) -> int:
    """Asks somebody else, once, and waits for the answer at its desk."""
    note()
    await call_model(100, 60)
    return await ctx.delegate(aide, amount=sum(numbers), budget=_SHARE)


@agent(pool=DESK, losses=LOSSES)
async def aide(amount: int) -> int | HandTo:
    """Is asked, and hands on."""
    note()
    await call_model(200, 120)
    return HandTo(cashier, amount=amount)


@agent(pool=DESK, losses=LOSSES)
async def cashier(amount: int) -> int:
    """Has the last word, and pays from the share of the errand."""
    note()
    await call_model(50, 50)
    await pay(f"errand over {amount}")
    return amount


ASKED = (aide, cashier)
"""Whom no graph names."""
