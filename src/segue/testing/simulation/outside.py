"""What lies outside a world's store: a model that is paid for each answer, and a bank that does not look twice."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from segue.domain.running.steps import DidNotHappen, Happened
from segue.engine.context import ctx

if TYPE_CHECKING:
    from segue.domain.records import Token
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.world import World


class Outside:
    """Keeps count of what was done to it. Its word on an effect is true, when it gives one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.paid: Counter[str] = Counter()
        self._pardoned: Counter[str] = Counter()
        """How often somebody was told that it had not happened, and so might do it."""

    async def shop(self, process: Process, token: Token, *, dies: bool) -> None:
        """What an agent does that asks a model and then pays, and maybe dies before it can tell."""
        await ctx.step("ask", partial(self._answer, token))
        reconcile = self.word if self._world.chance.random() < 0.5 else None
        async with ctx.effect("charge", f"{token.run}/{token.node}[{token.item}]", reconcile) as charge:
            await charge.once(partial(self._pay, process, dies))

    async def _answer(self, token: Token) -> str:
        run = self._world.truth.runs[token.run]
        is_latest = run.tasks[token[1:3]].epoch == token.epoch  # an earlier attempt may not know yet
        if is_latest and "ask" in run.steps.get(token[1:3], {}):
            self._world.violated("I12", f"{token} asks again what is remembered")
        return "an answer"

    async def _pay(self, process: Process, dies: bool, idempotency_key: str) -> str:
        await process.clock.sleep(0.01)
        self.paid[idempotency_key] += 1
        self._world.saw("paid")
        if self.paid[idempotency_key] > 1 + self._pardoned[idempotency_key]:
            self._world.violated(
                "I12", f"{idempotency_key} was paid twice, and nobody had said that it was not"
            )
        if dies:
            process.crash()
        await process.clock.sleep(0.01)
        return "a receipt"

    def word(self, key: str) -> Happened | DidNotHappen:
        """Whether it has happened, as far as one can tell now."""
        if self.paid[key]:
            return Happened("a receipt")
        self._pardoned[key] += 1
        return DidNotHappen()
