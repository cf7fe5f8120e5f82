"""Those who decide on hand-offs: they look, think for a while, and speak about what they saw, may they or not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segue.domain.decisions import Decision
from segue.domain.running.reviewing import (
    Said,
    next_version,
    objection_to,
    round_of,
    said_by_person,
    told_refusal,
)
from segue.stores.memory.rows import Run, Task

if TYPE_CHECKING:
    from segue.testing.simulation.world import World

NAMES = ("ann", "bob", "cay", "eve")
"""Everybody; who may decide on what is for the agents to say, and eve never may."""

SOMETHING_ELSE = f"sha256:{'0' * 64}"
"""What somebody may have seen elsewhere."""


class Reviewers:
    """The people of a world who decide on hand-offs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = 0

    def look_at(self, run: Run, task: Task) -> None:
        """Somebody sees what waits, or waits for its time to be over; now and then two look at once, and differ."""
        chance = self._world.chance
        if task.review_by is not None and chance.random() < 0.4:
            return
        for _ in range(chance.choice((1, 2))):
            seen = (
                SOMETHING_ELSE
                if chance.random() < 0.1
                else run.handoffs[task.node, task.item][-1].record.digest
            )
            said = Said(chance.choice(NAMES), chance.random() < 0.7, seen)
            self._world.after(chance.choice((0.0, 0.0, 0.1, 0.5)), partial(self._speak, run, task, said))

    def _speak(self, run: Run, task: Task, said: Said) -> None:
        """Say it to somebody who looks what is there now, and writes it down a little later."""
        if task.state != "needs_review":
            return
        decision = self._decision(run, task, said)
        if decision is not None:
            self._world.after(self._world.chance.choice((0.0, 0.1, 0.2, 0.3)), partial(self._write, decision))

    def _decision(self, run: Run, task: Task, said: Said) -> Decision | None:
        world = self._world
        plan, wall = world.plan_of(run), world.clock.wall()
        shown, row = run.handoffs[task.node, task.item][-1].record, task.record()
        now = round_of(plan.steps[task.node].node, task.agent, task.escalations)
        objection = objection_to(said, row, shown, now, wall)
        self._numbers += 1
        name = f"word-{self._numbers}"
        if objection is None:
            return said_by_person(plan, row, next_version(shown, wall), said, name, edited=False)
        world.saw(f"word refused: {objection.reason}")
        return told_refusal(row, said, objection, name) if objection.concerns_others else None

    def _write(self, decision: Decision) -> None:
        """Write a word down; if the answer gets lost, once more."""
        self._world.execute(None, "review", (decision,), {})
        if self._world.chance.random() < 0.2:
            self._world.execute(None, "review", (decision,), {})
