"""The people of a world: they want runs, change their minds, decide, and read the log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segue.domain.rows import Event
from segue.domain.running.redriving import redrive_of
from segue.domain.running.steps import Happened, Kept, draft
from segue.errors import ControlRefused
from segue.stores.memory.rows import Run, Task
from segue.testing.simulation.reviewers import Reviewers
from segue.testing.simulation.steering import Steering
from segue.testing.simulation.workload import SHAPES, Order, shape

if TYPE_CHECKING:
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.world import World

ENDED = frozenset({"complete", "failed", "cancelled"})


class People:
    """Everybody who is not a worker. They are content when all that they wanted has come to its end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.gone = False
        chance = world.chance
        storm = world.weather.storm
        count = 30 if storm else 1 if world.weather.still else chance.choice((1, 2, 2, 3))
        count = 8 if world.weather.season == "watched" else count
        shapes = [chance.randrange(SHAPES) for _ in range(count)]
        if world.weather.still:  # the longer, the more often something changes hands
            shapes = [max(chance.sample(range(SHAPES), 9), key=lambda number: len(shape(number).plan.steps))]
        self.orders = [Order(world, f"order-{number}", each) for number, each in enumerate(shapes)]
        for order in self.orders:
            world.after(chance.uniform(0.0, 9.0 if storm else 0.5), partial(self._want, order))
        regrets = 12 if storm else int(bool(world.weather.kinds) and chance.random() < 0.3)
        for order in chance.sample(self.orders, regrets):
            world.after(chance.uniform(0.2, 9.0 if storm else 1.5), partial(self._change_mind, order))
        self._looked_into: set[str] = set()
        self._reviewers = Reviewers(world)
        self._steering = Steering(world)
        world.after(0.3, self._decide)
        self._cursor: str | None = None
        self._read: list[Event] = []
        world.after(0.1, self._read_on)

    @property
    def content(self) -> bool:
        """Whether every run that was wanted has ended, and is known to have."""
        runs = self._world.truth.runs
        ended = all(order.run is not None and runs[order.run].state in ENDED for order in self.orders)
        return ended and all(run.state != "failed" or name in self._looked_into for name, run in runs.items())

    def _somebody(self) -> Process | None:
        able = [each for each in self._world.processes if each.serving]
        return self._world.chance.choice(able) if able else None

    def _want(self, order: Order) -> None:
        """Submit, again and again until there is an answer: under its key that is safe."""
        if order.run is not None and self._world.chance.random() < 0.7:
            return
        process = self._somebody()
        if process is not None:
            process.submit(order)
        if not self.gone:
            self._world.after(self._world.chance.uniform(0.3, 1.0), partial(self._want, order))

    def _change_mind(self, order: Order) -> None:
        if order.run is not None:
            self._steering.say(self._steering.wish(order.run, "cancel"))

    def _decide(self) -> None:
        """Look for what only a person can move: reviews, effects in doubt, and runs that failed."""
        world = self._world
        for run in list(world.truth.runs.values()):
            for task in list(run.tasks.values()):
                if task.state == "needs_review":
                    self._reviewers.look_at(run, task)
                elif task.state == "in_doubt":
                    self._resolve(run, task)
            if run.state == "failed" and run.new.run not in self._looked_into:
                self._looked_into.add(run.new.run)
                if world.weather.kinds and world.chance.random() < 0.4:
                    self._try_again(run)
        if not self.gone:
            world.after(world.chance.uniform(0.05, 0.5), self._decide)

    def _resolve(self, run: Run, task: Task) -> None:
        """Ask outside whether the effects in doubt have happened, and say so."""
        world = self._world
        for written in list(run.steps[task.node, task.item].values()):
            effect = written.record
            if effect.state == "begun":
                happened = isinstance(world.outside.word(effect.key), Happened)
                kept = Kept(b'"a receipt"', (), is_spilled=False) if happened else None
                step = draft("effect", effect.name, "done" if happened else "withdrawn", effect.key, kept)
                given = (run.new.run, task.node, task.item, step, None)
                world.saw(f"doubt {world.execute(None, 'resolve', given, {})[0]}")

    def _try_again(self, run: Run) -> None:
        """Try what was given up again; whoever does it a second time comes too late."""
        world = self._world
        tasks = [task.record() for _, task in sorted(run.tasks.items())]
        try:
            redrive = redrive_of(world.plan_of(run), run.new.run, tasks)
        except ControlRefused:
            return
        wishes = [self._steering.wish(run.new.run, "retry", redrive=redrive) for _ in range(2)]
        first, second = (world.execute(None, "control", (wish,), {})[0] for wish in wishes)
        world.saw(f"redrive {first}")
        if (first, second) != ("accepted", "stale"):
            world.violated("I2", f"{run.new.run} was tried again: {first}, and a second time: {second}")

    # --- reading the log -------------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Read the log from a cursor, a few events at a time; an answer may get lost, and is asked for again."""
        world = self._world
        (events, cursor), _ = world.execute(None, "tail", (self._cursor, world.chance.randint(1, 9)), {})
        if world.chance.random() < 0.9:
            self._read += events
            self._cursor = cursor
        if not self.gone:
            world.after(world.chance.uniform(0.02, 0.4), self._read_on)

    # --- the end ---------------------------------------------------------------------------------------

    def say_goodbye(self) -> None:
        """Nothing more is wanted: every process is asked to stop, politely."""
        self.gone = True
        for process in self._world.processes:
            if process.alive:
                process.stop()

    def last_look(self) -> None:
        """Read the log to its end, and compare."""
        world = self._world
        while True:
            (events, cursor), _ = world.execute(None, "tail", (self._cursor, 50), {})
            self._read += events
            self._cursor = cursor
            if not events:
                break
        read = [(event.run, event.sequence) for event in self._read]
        if read != [(event.run, event.sequence) for event in world.truth.events_from(0)]:
            world.violated("I9", "a reader of the log has missed something, or read it out of order")
