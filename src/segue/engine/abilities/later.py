"""
Waiting for a `Later`: the task keeps its claim and gives its slot to others, and the places that it has in pools.

The store hears that the task is parked, which hand-offs it then took as inputs (pinned, like those of a claim), and
that it goes on. Time spent here is not run time. The slot is taken again, before anything new starts, when the source
has settled.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from segue.domain.envelope.stored import reason_of
from segue.domain.graph.graph import Argument, nodes_of
from segue.domain.records import SETTLED, SINGLE, Pin, RunState, Verdict, is_grown, task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.pooling import given_back
from segue.engine.abilities.pausing import Pause
from segue.engine.attempts import threads
from segue.engine.attempts.attempt import Attempt, current_attempt
from segue.engine.attempts.timekeeper import Timekeeper
from segue.engine.flow.claimer import Claimer
from segue.engine.flow.slots import Slots
from segue.errors import StoreError, TaskFailed, UpstreamFailed, UsageError
from segue.ports.clock import Clock
from segue.ports.store import Note, Store

PARKED_MAXIMUM = 10_000
"""Tasks of one worker that may wait at once: each holds its memory. Threads have a limit of their own."""

PARKED_PROCESSES_MAXIMUM = 32
"""Tasks in child processes that may wait at once: each holds a process that nobody else can use meanwhile."""

NET_SECONDS = 5.0
"""How often a waiting task looks although nothing was announced."""

REST_PER_LOOK = 4.0
"""
How much longer than they look all that wait rest after it. Whatever happens in the store wakes every one of them, and
they must leave time for the work that they wait for.
"""


class LaterDesk:
    """
    Where tasks wait for hand-offs that they could start without. `on_run_state` hears of a run that only a person can
    move now that a task of it waits.
    """

    def __init__(
        self,
        store: Store,
        slots: Slots,
        timekeeper: Timekeeper,
        claimer: Claimer,
        clock: Clock,
        on_run_state: Callable[[str, RunState], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._slots = slots
        self._timekeeper = timekeeper
        self._claimer = claimer
        self._clock = clock
        self._on_run_state = on_run_state
        self._on_failure = on_failure
        self._parked: Counter[str] = Counter()
        """How many tasks wait, by what they hold."""

    async def pins(self, attempt: Attempt, argument: Argument) -> list[Pin]:
        """
        Wait until the sources of an argument have settled and take their hand-offs as inputs.

        Raises `UpstreamFailed` if one of them has nothing to hand over and the agent does not accept None there.
        """
        nodes = tuple(dict.fromkeys(nodes_of(argument.binding)))
        remedy = f"Annotate {argument.parameter!r} as Later[... | None] to go on without it."
        return await self.wait_for(attempt, nodes, remedy, optional=argument.optional)

    async def wait_for(
        self, attempt: Attempt, nodes: tuple[str, ...], remedy: str, *, optional: bool = False
    ) -> list[Pin]:
        """
        Wait until nodes have settled and take their hand-offs as inputs.

        Raises `UpstreamFailed`, with a remedy, if one of them has nothing to hand over, unless that is `optional`. What
        goes wrong with the store is no failure of the agent that waits: `on_failure` hears of it too.
        """
        if attempt.confirmed is not None:
            await asyncio.shield(attempt.confirmed)
        try:
            return await self._wait_for(attempt, nodes, remedy, optional)
        except StoreError as error:
            self._on_failure(error)
            raise

    async def _wait_for(
        self, attempt: Attempt, nodes: tuple[str, ...], remedy: str, optional: bool
    ) -> list[Pin]:
        seen = self._store.notifier.count
        tasks = await self._settled(attempt.run, nodes)
        if tasks is None:
            tasks = await self._park(attempt, nodes, seen)
        broken = [task for task in tasks if task.state not in ("complete", "expanded")]
        if broken and not optional:
            first = broken[0]
            reason = reason_of(first).get("message")
            raise UpstreamFailed(
                f"{attempt.name} awaits {task_name(first.node, first.item)}, which {_ending(first.state)}"
                + (f": {reason}" if reason and is_grown(first.node) else ""),
                remedy=remedy,
            )
        stored = await self._store.latest_handoffs(attempt.run, nodes)
        pins = [each.pin for each in stored]
        for pin in pins:
            await self._note(attempt, pin)
        return pins

    async def _park(self, attempt: Attempt, nodes: tuple[str, ...], seen: int) -> list[TaskRecord]:
        async with self.away(attempt, nodes) as pause:
            await pause.tell()
            return await self._wait(attempt.run, nodes, seen)

    @contextlib.asynccontextmanager
    async def away(self, attempt: Attempt, nodes: tuple[str, ...] = ()) -> AsyncIterator[Pause]:
        """An attempt that waits, for nodes or for another run, holds no slot meanwhile, and its time stands still."""
        if attempt.pause is None:
            attempt.pause = Pause(
                attempt, self._slots, self._timekeeper, self._give_places, self._take_places
            )
        pause, held = attempt.pause, _held_by(attempt)
        self._check_room(attempt, held)
        self._parked[held] += 1
        if pause.begin(nodes):
            self._claimer.room_came_free()
        try:
            yield pause
        except GeneratorExit:
            raise  # the loop is gone, and with it whoever could go on
        except BaseException:
            await pause.break_off(nodes)
            raise
        finally:
            self._parked[held] -= 1
        await pause.end(nodes)

    async def _give_places(self, attempt: Attempt, awaits: Sequence[str]) -> None:
        self._check_stands(attempt, await self._store.park(attempt.token, awaits))
        if given_back(attempt.terms.settings.pools):
            self._claimer.poke()
        run = await self._store.read_run(attempt.run)
        if run is not None and run.state == "needs_review":
            self._on_run_state(run.run, run.state)

    async def _take_places(self, attempt: Attempt) -> None:
        """Wait until the store lets an attempt go on, which is at once if it has given back no places."""
        while True:
            seen = self._store.notifier.count
            verdict = await self._store.go_on(attempt.token)
            if verdict != "wait":
                self._check_stands(attempt, verdict)
                return
            await self._store.notifier.wait(seen, NET_SECONDS)

    def _check_room(self, attempt: Attempt, held: str) -> None:
        limit, remedy = {
            "nothing": (PARKED_MAXIMUM, "Start more workers, or make fewer tasks wait for a `Later`."),
            "thread": (threads.PARKED_MAXIMUM, "Make it an `async def`, which waits without a thread."),
            "process": (PARKED_PROCESSES_MAXIMUM, "Let it take T instead of Later[T]: it then starts later."),
        }[held]
        if self._parked[held] >= limit:
            raise TaskFailed(
                f"{attempt.name} cannot wait: {limit} tasks of this worker wait already", remedy=remedy
            )

    async def _wait(self, run: str, nodes: tuple[str, ...], seen: int) -> list[TaskRecord]:
        while True:
            began = self._clock.boot()
            tasks = await self._settled(run, nodes)
            if tasks is not None:
                return tasks
            look_seconds = self._clock.boot() - began
            await self._clock.sleep(look_seconds * self._parked.total() * REST_PER_LOOK)
            seen = await self._store.notifier.wait(seen, NET_SECONDS)

    async def _settled(self, run: str, nodes: tuple[str, ...]) -> list[TaskRecord] | None:
        """The tasks of these nodes, if all of them have settled."""
        tasks = list(await self._store.read_tasks(run, [(node, SINGLE) for node in nodes]))
        if len(tasks) < len(nodes):
            return None
        if any(task.state == "expanded" for task in tasks):
            tasks = [task for task in await self._store.read_tasks(run) if task.node in nodes]
        open_tasks = [task for task in tasks if task.state not in SETTLED]
        return None if open_tasks else tasks

    async def _note(self, attempt: Attempt, pin: Pin) -> None:
        """Note that the attempt has taken a hand-off as an input."""
        note = Note(attempt.token, attempt.claim.agent, "awaited", pin, None)
        self._check_stands(attempt, *await self._store.note([note]))

    def _check_stands(self, attempt: Attempt, verdict: Verdict) -> None:
        if verdict == "stale":
            raise attempt.stale()


@contextlib.asynccontextmanager
async def waiting_for(run: str, task: str | None = None) -> AsyncIterator[None]:
    """
    An agent that waits for a run, or a task of one, holds no slot meanwhile: who makes it may need that. Does nothing
    anywhere else. Raises UsageError for an agent that waits for itself.
    """
    attempt = current_attempt.get(None)
    if not isinstance(attempt, Attempt) or not attempt.in_agent:
        yield
        return
    if attempt.run == run and task in (None, attempt.name):
        whom = "itself" if task else "the run that it is a part of"
        raise UsageError(
            f"{attempt.name} waits for {whom}, which cannot end before it",
            remedy="Return what there is; whoever submitted the run waits for it.",
        )
    async with attempt.later.away(attempt):
        yield


def _held_by(attempt: Attempt) -> str:
    """What an attempt keeps for itself while it waits."""
    if attempt.terms.settings.isolation == "process":
        return "process"
    return "nothing" if attempt.agent is None or attempt.agent.signature.is_async else "thread"


def _ending(state: str) -> str:
    return {
        "failed": "failed",
        "dead": "was given up",
        "skipped": "was skipped",
        "cancelled": "was cancelled",
    }[state]
