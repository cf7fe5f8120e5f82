"""What the agents of a world do: the world decides, once for each task, and keeps account of every execution."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random  # noqa: TID251 (the one of a world's seed)
from typing import TYPE_CHECKING, Any, Literal, cast

from segue.domain.records import Token
from segue.engine.attempts.attempt import current_attempt
from segue.engine.context import ctx
from segue.errors import SpendingExceeded

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Attempt
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.weather import Season

here: ContextVar[Process] = ContextVar("simulated_process")
"""The process that runs; agents find their world by it."""

Mood = Literal["fine", "fails", "kills"]


@dataclass(slots=True)
class Behaviour:
    """How an agent behaves in one task: what goes wrong, in how many of its first executions, and how slow it is."""

    mood: Mood
    times: int
    seconds: float
    executions: int = 0


@dataclass(slots=True, eq=False)
class Execution:
    """An agent that ran: with which token, where, from what."""

    number: int
    token: Token
    process: Process
    agent: str
    inputs: list[str]
    waits: bool = False


def draw_behaviour(chance: Random, season: Season, faulty: bool) -> Behaviour:
    """How an agent will behave. In a world without faults none fails."""
    seconds = chance.choice(
        (0.0, 0.0, 0.001, 0.02, 0.2, 0.3) if not faulty else (0.0, 0.0, 0.001, 0.1, 0.6, 2.0)
    )
    if season == "still":
        seconds = min(seconds, 0.001)
    toss = chance.random()
    if season == "delays" and chance.random() < 0.5:
        seconds = chance.choice((0.4, 0.8, 1.6))
    if not faulty or toss < 0.7 or (season == "delays" and toss > 0.9):
        return Behaviour("fine", 0, seconds)
    if toss < 0.9:
        return Behaviour("fails", chance.choice((1, 1, 2, 9)), seconds)
    return Behaviour("kills", chance.choice((1, 1, 2, 9)), seconds)


async def act(
    texts: Sequence[str | None],
    later: Any = None,
    *,
    shops: bool = False,
    asks: Callable[[], Any] | None = None,
    pays: bool = False,
) -> str:
    """Be an agent: take some time, go wrong if it is to be, else hand over a text that names this execution."""
    process = here.get()
    world = process.world
    attempt = cast("Attempt", current_attempt.get())
    executions = world.oracle.executions
    execution = executions.begin(process, attempt, [each for each in texts if each is not None])
    behaviour = world.behaviour_of(execution.token)
    behaviour.executions += 1
    try:
        if behaviour.seconds:
            await process.clock.sleep(behaviour.seconds)
        if later is not None:
            executions.pause(execution)
            text = await later
            executions.resume(execution)
            execution.inputs += [] if text is None else [text]
        if asks is not None:
            executions.pause(execution)
            text = await asks()
            executions.resume(execution)
            execution.inputs.append(text)
        dies = behaviour.mood == "kills" and behaviour.executions <= behaviour.times
        if pays:
            await _pay(process, execution.token, dies=behaviour.executions < behaviour.times or dies)
        if shops:
            await world.outside.shop(process, execution.token, dies=dies)
        if behaviour.executions <= behaviour.times:
            await _go_wrong(behaviour.mood, process)
        return f"{execution.token.run}/{attempt.name}#{execution.number}"
    finally:
        executions.end(execution)


async def _pay(process: Process, token: Token, *, dies: bool) -> None:
    """Make a call that costs, if there is something left for it."""
    try:
        async with ctx.spend(calls=1):
            process.world.oracle.grown.called(token.run)
            if dies:
                await _go_wrong("kills", process)
            await process.clock.sleep(0.01)
    except SpendingExceeded:
        process.world.saw("call too dear")


async def _go_wrong(mood: Mood, process: Process) -> None:
    if mood == "kills":
        process.world.saw("poison")
        process.crash()
        await asyncio.get_running_loop().create_future()
    raise ConnectionError("the model does not answer")
