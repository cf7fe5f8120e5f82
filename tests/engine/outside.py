"""The world outside of the tests of effects: a bank, and an agent that pays there."""

from __future__ import annotations

from typing import Any

import pytest

from segue import RunFailed, Segue, agent, ctx, workflow
from tests.engine.deadlines import soon


def one_task(agent_: Any) -> Any:
    """A workflow of nothing but this agent."""

    @workflow
    def alone(text: str) -> str:
        return agent_(text)

    return alone


async def reason_of(segue: Segue, agent_: Any) -> str:
    """Why the only task of a run failed."""
    with pytest.raises(RunFailed) as caught:
        await soon(segue.run(one_task(agent_), "x"))
    (reason,) = caught.value.failures.values()
    return reason


class Bank:
    """The world outside: each payment that was really made, with its key."""

    def __init__(self) -> None:
        self.paid: list[str] = []

    def pay(self, amount: int, idempotency_key: str) -> dict[str, int]:
        """Pay, at once."""
        self.paid.append(idempotency_key)
        return {"receipt": len(self.paid), "amount": amount}

    async def pay_later(self, amount: int, *, idempotency_key: str) -> dict[str, int]:
        """Pay, as clients of today do."""
        return self.pay(amount, idempotency_key)


def paying(bank: Bank, *, reconcile: Any = None, pay_first: bool = True, key: str | None = None) -> Any:
    """An agent whose first attempt dies between the payment and the word of it, or before the payment."""

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        async with ctx.effect("charge", key=key, reconcile=reconcile) as charge:
            if ctx.epoch == 1:
                if pay_first:
                    bank.pay(3, charge.key)
                raise ConnectionError("the line broke")
            receipt = await charge.once(bank.pay, 3)
        return f"receipt {receipt['receipt']}"

    return pay


async def states(segue: Segue, run: str) -> list[str]:
    """Where the effects of a run stand."""
    return [effect.state for effect in await segue.handle(run).effects()]


async def names_of(segue: Segue, run: str) -> list[str]:
    """What happened to the task of a run, without what happens to every task."""
    events, _ = await segue.host.store.tail(None, 1000, run)
    return [
        event.name.rpartition(".")[2] for event in events if "effect" in event.name or "doubt" in event.name
    ]
