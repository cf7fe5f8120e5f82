"""
A world: several real engines, one store, time that jumps, and faults, all from one seed and in one thread.

What is real is the engine with everything below it. What is played is what surrounds it: time, the way to the store,
wake-ups, the kernel, the people. Nothing waits: when no process has anything to do, time jumps to whatever comes next.
Which process gets the next turn, how long each call is on its way, and what goes wrong are drawn from the seed.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random  # noqa: TID251 (the one source of chance of a world)
from typing import Any

from segue.domain.records import Token, task_name
from segue.domain.running.growing import grown_plan
from segue.domain.running.plan import Plan
from segue.domain.settings.options import RunOptions
from segue.errors import StoreUnavailable
from segue.ports.clock import Timer
from segue.stores.memory.rows import Run
from segue.testing.simulation.acting import Behaviour, draw_behaviour
from segue.testing.simulation.oracle import Oracle
from segue.testing.simulation.outside import Outside
from segue.testing.simulation.people import People
from segue.testing.simulation.process import WALL_AT_START, Place, Process
from segue.testing.simulation.trace import Trace
from segue.testing.simulation.truth import Truth
from segue.testing.simulation.watching import Watching
from segue.testing.simulation.weather import Blow, Weather
from segue.testing.simulation.wire import Wire, carry_out
from segue.testing.simulation.workload import AGENTS, NAMES_ANOTHER, shape

PATIENCE_SECONDS = 90.0
"""How long after the last fault everything must have come to its end."""

EVENTS_AT_ONCE = 8
"""So many things happen before anybody asks whether the world is over."""

STEPS_MAXIMUM = 60_000
"""More turns than any sound world takes: something goes round in a circle."""

READING = ("read_", "list_", "find_", "latest_", "tail", "cursor", "facts", "next_due", "artifact_")
"""Verbs that change nothing begin like this."""

INCARNATION = "0123456789abcdef"


class Violation(Exception):
    """An invariant does not hold in a world."""

    def __init__(self, seed: int, step: int, invariant: str, what: str, last_lines: list[str]) -> None:
        super().__init__(f"{invariant}: {what}")
        self.seed = seed
        self.step = step
        self.invariant = invariant
        self.what = what
        self.last_lines = last_lines


class StoreClock:
    """The store's own time, which is the world's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wall_jump = 0.0

    def wall(self) -> float:
        """Seconds since 1970."""
        return WALL_AT_START + self.wall_jump + self._world.now

    def boot(self) -> float:
        """Seconds since the world began."""
        return self._world.now

    async def sleep(self, seconds: float) -> None:
        """The store in memory never sleeps."""
        raise NotImplementedError

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Nor does it set timers."""
        raise NotImplementedError


class World:
    """One world. `run` plays it to its end and raises `Violation` if something is wrong."""

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        self.seed = seed
        self.trace = trace or Trace()
        self.chance = Random(seed)  # noqa: S311 (played again by its seed)
        self.now = 0.0
        self.step = 0
        self.sometimes: Counter[str] = Counter()
        self._agenda: list[tuple[float, float, int, Callable[[], None]]] = []
        self._entries = 0
        self._violation: Violation | None = None
        self._turning: Process | None = None
        self._behaviours: dict[tuple[str, str, int], Behaviour] = {}
        chance = self.chance
        self.weather = Weather(chance, seed)
        self.lease_seconds = self.weather.lease_seconds
        self.shuffle = chance if chance.random() < 0.7 else None
        self.clock = StoreClock(self)
        self.truth = Truth(self.clock)
        self.truth._state.log.incarnation = INCARNATION
        self.truth._state.pools = {"desk": 1 + (seed % 5 == 0), "till": 1}
        self.wire = Wire(self)
        self.outside = Outside(self)
        self.oracle = Oracle(self)
        self.people = People(self)
        self.watching = Watching(self)
        self.by_name: dict[str, Process] = {}
        self.processes: list[Process] = []
        for place in _draw_places(chance, self.weather, seed):
            self.start(place)
        for blow in self.weather.blows:
            self.after(blow.at, partial(self._strike, blow))

    # --- time ------------------------------------------------------------------------------------------

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later. What falls due at the same time comes in an order drawn from the seed."""
        self._entries += 1
        heapq.heappush(self._agenda, (self.now + seconds, self.chance.random(), self._entries, action))

    def run(self) -> None:
        """Play the world to its end. Raises `Violation`."""
        end = self.weather.calm_at + PATIENCE_SECONDS
        try:
            self._play(lambda: self.people.content and self.watching.content, end)
            self.people.say_goodbye()
            self._play(lambda: not any(process.alive for process in self.processes), end + PATIENCE_SECONDS)
            self.oracle.last_look()
            self.people.last_look()
            self.watching.last_look()
            self._raise()
        finally:
            for process in self.processes:
                process.loop.abandon()

    def _play(self, is_over: Callable[[], bool], end: float) -> None:
        while not is_over():
            for _ in range(EVENTS_AT_ONCE):
                self._next_event()
                self._raise()
            if self.now > end:
                left = self._open_runs() or ["a process does not stop"]
                self.violated("I8", f"faults have ceased long ago, and: {'; '.join(left)}")

    def _next_event(self) -> None:
        """Give turns to processes until there is nothing to do now, and do what is next on the agenda."""
        while ready := self._ready_now():
            self.step += 1
            if self.step > STEPS_MAXIMUM:
                self.violated("I8", "the processes go round in a circle")
                return
            self._give_turn(ready[int(self.chance.random() * len(ready))] if len(ready) > 1 else ready[0])
        if self._agenda:
            heapq.heappop(self._agenda)[3]()

    def _ready_now(self) -> list[Process]:
        """Which processes have something to do, if need be after a jump of time; none if the agenda comes first."""
        now = self.now
        ready = [each for each in self.processes if each.loop.busy and each.paused_until <= now]
        if ready:
            return ready
        soonest = self._agenda[0][0] if self._agenda else math.inf
        for process in self.processes:
            due = process.due_at
            if due is None or due > soonest:
                continue
            if due < soonest and ready:
                ready.clear()
            soonest = due
            ready.append(process)
        if now < soonest < math.inf:
            self.now = self.trace.now = soonest
        return ready

    def _give_turn(self, process: Process) -> None:
        self._turning = process
        process.loop.turn()
        self._turning = None
        if process.loop.mishap is not None:
            self.violated("I8", f"a callback of {process.name} raised {process.loop.mishap!r}")
        if not process.alive:
            process.loop.abandon()

    # --- the store -------------------------------------------------------------------------------------

    def execute(self, process: Process | None, verb: str, args: Any, kwargs: Any) -> tuple[Any, bool]:
        """Carry out a verb on the one store, judge it, and say whether something was committed."""
        commits = self.truth.commits
        result = carry_out(getattr(self.truth, verb), args, kwargs)
        if verb.startswith(READING):
            return result, False
        self.trace.note(process.name if process is not None else "people", verb)
        self.oracle.transition(verb, args, result)
        committed = self.truth.commits > commits
        if committed:
            self.wire.wake_others(process)
        return result, committed

    def plan_of(self, run: Run) -> Plan:
        """The plan of a stored run."""
        plan = shape(int(run.new.workflow.rpartition("_")[2])).plan
        return grown_plan(plan, run.growth, RunOptions()) if run.growth else plan

    def behaviour_of(self, token: Token) -> Behaviour:
        """How the agent of a task behaves: drawn when it first runs."""
        behaviour = self._behaviours.get(token[:3])
        if behaviour is None:
            behaviour = draw_behaviour(self.chance, self.weather.season, bool(self.weather.kinds))
            self._behaviours[token[:3]] = behaviour
        return behaviour

    # --- processes -------------------------------------------------------------------------------------

    def start(self, place: Place) -> None:
        """Start a process in a place, unless the world ends."""
        if self.people.gone:
            return
        name = self.name_for(place)
        process = Process(self, place, name)
        self.by_name[name] = process
        self.processes = [each for each in self.processes if each.place.slot != place.slot] + [process]
        self.trace.note(name, "starts")

    def name_for(self, place: Place) -> str:
        """A name that no process had before."""
        return f"w{place.slot}.{sum(each.place.slot == place.slot for each in self.by_name.values()) + 1}"

    def process_gone(self, process: Process) -> None:
        """A process has ended or died: another one takes its place after a while."""
        self.oracle.executions.process_gone(process)
        if process is not self._turning:
            process.loop.abandon()
        self.after(self.chance.uniform(0.01, 0.6), partial(self.start, process.place))

    def engine_failed(self, process: Process, error: BaseException) -> None:
        """An engine gives up: right if the store was at fault, and then its process is started anew."""
        self.trace.note(process.name, "gives up", type(error).__name__)
        if isinstance(error, StoreUnavailable) and self.weather.kinds:
            self.saw("engine gave up")
            self.after(0.0, process.stop)
        else:
            self.violated("I8", f"the engine of {process.name} stopped: {type(error).__name__}: {error}")

    def _strike(self, blow: Blow) -> None:
        process = next((each for each in self.processes if each.place.slot == blow.slot), None)
        self.trace.note("world", blow.kind, blow.slot, round(blow.seconds, 3))
        if blow.kind == "wall clock jump":
            self.clock.wall_jump += self.chance.choice((-7200.0, -60.0, 60.0, 7200.0))
            self.saw(blow.kind)
        if process is None or not process.alive:
            return
        match blow.kind:
            case "pause":
                process.pause(blow.seconds)
            case "kill":
                process.crash()
            case "stop":
                process.stop()
            case _:
                return
        self.saw(blow.kind)

    def _open_runs(self) -> list[str]:
        return [
            f"{run.new.run} is {run.state}: "
            + ", ".join(f"{task_name(*key)} {task.state}" for key, task in run.tasks.items())
            for run in self.truth.runs.values()
            if run.state in ("running", "needs_review")
        ]

    # --- what is found ---------------------------------------------------------------------------------

    def saw(self, what: str) -> None:
        """Count something that a sound sample of worlds must have shown."""
        self.sometimes[what] += 1

    def violated(self, invariant: str, what: str) -> None:
        """Something is wrong; the first such thing counts."""
        if self._violation is None:
            self._violation = Violation(self.seed, self.step, invariant, what, self.trace.last_lines)

    def _raise(self) -> None:
        if self._violation is not None:
            raise self._violation


def _draw_places(chance: Random, weather: Weather, seed: int) -> list[Place]:
    """Where processes run: on one machine or on several, with clocks that agree or do not, with all agents or some."""
    one_machine = chance.random() < 0.5
    skewed = "skew" in weather.kinds
    return [
        Place(
            slot=slot,
            machine=0 if one_machine else slot,
            concurrency=chance.choice((1, 2, 4)),
            rate=chance.choice((0.5, 0.9, 1.1, 2.0)) if skewed and chance.random() < 0.5 else 1.0,
            boot_offset=chance.uniform(0.0, 50_000.0),
            wall_offset=chance.uniform(-3600.0, 3600.0) if skewed else 0.0,
            agents=agents,
            # The first has everything, in its newest form: so there is always somebody who can read what was sent.
            code="new" if slot == 0 or weather.still or (seed + slot) % 3 == 0 else "old",
        )
        for slot, agents in enumerate(_draw_agents(chance, weather))
    ]


def _draw_agents(chance: Random, weather: Weather) -> list[tuple[str, ...]]:
    """Who has which agents: the first has all, but in still worlds, where all that is handed over changes hands."""
    everything, others = tuple(AGENTS), weather.slots - 1
    if weather.still:
        return [everything[::2], everything[1::2]]
    some = [{name for name in AGENTS if chance.random() < 0.5} for _ in range(others)]
    for names in some:  # code that names another agent comes with it
        names |= {target for name, target in NAMES_ANOTHER.items() if name in names}
    return [everything, *(tuple(name for name in AGENTS if name in names) for names in some)]
