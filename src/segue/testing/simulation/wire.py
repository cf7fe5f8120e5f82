"""The way between a process and the store: it takes time, and calls and answers get lost on it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from segue.errors import SegueError, StoreUnavailable
from segue.stores.waking import LocalNotifier
from segue.testing.simulation.loop import at_once

if TYPE_CHECKING:
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.weather import Fate
    from segue.testing.simulation.world import World

HINDERING = frozenset({"refused", "written and refused", "slow"})
KEEPING = frozenset({"submit", "claim", "settle", "renew"})
"""The calls by which a worker keeps its claims and gets its places back, and what may go wrong with them."""


class SimulatedStore:
    """The store as one process sees it. Whatever verb the contract has goes over the wire; none is listed here."""

    def __init__(self, wire: Wire, process: Process) -> None:
        self._wire = wire
        self._process = process
        self.notifier = LocalNotifier(process.clock)

    def __getattr__(self, verb: str) -> Any:
        return partial(self._ask, verb)

    async def _ask(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        return await self._wire.send(self._process, verb, args, kwargs)


class Call(NamedTuple):
    """A call that is on its way, or its answer."""

    process: Process
    verb: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: asyncio.Future[Any]
    fate: Fate


class Wire:
    """Carries calls to the one true store and answers back, as the weather permits."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._weather = world.weather

    def send(
        self, process: Process, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[Any]:
        """Send a call; the answer comes with the future, if it comes. A process that is gone sends nothing."""
        world, weather = self._world, self._weather
        if not process.alive:
            return process.loop.create_future()
        fate = weather.fate(verb, world.now)
        if fate in HINDERING and verb in KEEPING:
            process.troubles.append((world.now, fate))
        call = Call(process, verb, args, kwargs, process.loop.create_future(), fate)
        seconds = weather.latency()
        if fate == "slow":
            world.saw("slow")
            seconds += world.chance.uniform(0.1, 2.0 * world.lease_seconds)
        world.after(seconds, partial(self._arrive, call))
        return call.answer

    def _arrive(self, call: Call) -> None:
        """A call reaches the store, unless it was still in the hands of a process that is gone; a slow one had left."""
        world, process, fate = self._world, call.process, call.fate
        if not process.alive and fate != "slow" and world.chance.random() < 0.5:
            world.saw("call cut off")
            return
        if self._weather.is_away(world.now):
            world.saw("outage")
            self._answer(call, error=StoreUnavailable("the store is away"))
        elif fate == "refused":
            world.saw(fate)
            self._answer(call, error=StoreUnavailable("the store did not answer"))
        elif fate == "crash before":
            world.saw(fate)
            process.crash()
        else:
            self._carry_out(call)

    def _carry_out(self, call: Call) -> None:
        world, process, fate = self._world, call.process, call.fate
        try:
            result, committed = world.execute(process, call.verb, call.args, call.kwargs)
            if fate == "doubled":
                world.saw(fate)
                result, again = world.execute(process, call.verb, call.args, call.kwargs)
                committed = committed or again
        except SegueError as error:
            self._answer(call, error=error)
            return
        if fate == "crash after":
            world.saw(fate)
            process.crash()
        elif fate == "written and refused":
            world.saw(fate)
            self._answer(call, error=StoreUnavailable("the answer got lost"))
        else:
            self._answer(call, result, committed=committed)

    def _answer(
        self, call: Call, result: Any = None, error: Exception | None = None, *, committed: bool = False
    ) -> None:
        self._world.after(self._weather.latency(), partial(self._deliver, call, result, error, committed))

    def _deliver(self, call: Call, result: Any, error: Exception | None, committed: bool) -> None:
        """The answer reaches the process; a paused one finds it when it goes on."""
        world, process = self._world, call.process
        if not process.alive:
            return
        if error is None:
            world.oracle.answered(call.verb, call.args, result)
        if committed:
            process.loop.call_soon(process.store.notifier.notify)
        process.loop.call_soon(_resolve, call.answer, result, error)

    def wake_others(self, committer: Process | None) -> None:
        """Something was committed: the other processes hear of it, once, twice, late or never."""
        world = self._world
        for process in world.processes:
            if process is not committer and process.alive:
                kind, arrivals = self._weather.wake_up(world.now)
                if kind != "wake-up":
                    world.saw(kind)
                for seconds in arrivals:
                    world.after(seconds, partial(self._wake, process))

    def _wake(self, process: Process) -> None:
        if process.alive:
            process.loop.call_soon(process.store.notifier.notify_foreign)


def _resolve(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)


def carry_out(verb: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a verb of the store in memory, which answers at once."""
    return at_once(verb(*args, **kwargs))
