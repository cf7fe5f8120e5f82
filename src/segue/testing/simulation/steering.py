"""Those who steer the runs of a world: they pause, let go on, cancel and take away, at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.domain.decisions import Control, ControlKind, Target
from segue.domain.records import WHOLE_RUN, TaskKey
from segue.domain.running.controlling import Situation
from segue.errors import ControlRefused, UnknownRun
from segue.stores.memory.rows import Run
from segue.testing.simulation.process import WALL_AT_START

if TYPE_CHECKING:
    from segue.testing.simulation.world import World

KINDS: tuple[ControlKind, ...] = (
    "pause",
    "pause",
    "pause",
    "resume",
    "resume",
    "reassign",
    "cancel",
    "annotate",
)
OPEN = frozenset({"running", "needs_review"})


class Steering:
    """They look at what is there now, and their word may arrive when it is no longer so, twice, or never."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._commands = 0
        weather, chance = world.weather, world.chance
        self._pause_seconds = 0.25 if weather.storm else 0.6
        if bool(weather.kinds) and not weather.still and (weather.storm or chance.random() < 0.5):
            world.after(chance.uniform(0.1, 0.6), self._steer)

    def wish(self, run: str, kind: ControlKind, *targets: Target, **more: Any) -> Control:
        """Something that is wanted, under a name of its own."""
        self._commands += 1
        command = f"command-{self._commands}"
        asked = f"{kind} {[target[:2] for target in targets]}"
        return Control(run, kind, command, asked, '{"by":"people"}', targets, **more)

    def say(self, control: Control) -> None:
        """Say it in some process, if one is there; now and then somebody says the same again, elsewhere."""
        chance = self._world.chance
        able = [each for each in self._world.processes if each.serving]
        for _ in range(chance.choice((1, 1, 1, 2)) if able else 0):
            chance.choice(able).control(control)

    def _steer(self) -> None:
        """Want something of some run; when it has become calm, let everything go on."""
        world = self._world
        runs = [run for run in world.truth.runs.values() if run.state in OPEN]
        if world.now > world.weather.calm_at:
            for run in runs:
                for key in list(run.pauses):
                    targets = () if key == WHOLE_RUN else (Target(*key),)
                    self.say(self.wish(run.new.run, "resume", *targets))
        else:
            for run in world.chance.sample(runs, min(len(runs), 4 if world.weather.storm else 1)):
                self._want(run)
        if not world.people.gone:
            world.after(world.chance.uniform(0.05, 2 * self._pause_seconds), self._steer)

    def _want(self, run: Run) -> None:
        chance, plan = self._world.chance, self._world.plan_of(run)
        kind = chance.choice(KINDS)
        tasks = [task.record() for _, task in sorted(run.tasks.items())]
        situation = Situation(plan, run.record(), tasks, list(run.pauses.values()))
        keys: list[TaskKey] = [(name, -1) for name in plan.steps]
        keys += [key for key in sorted(run.tasks) if key not in keys]
        task = chance.choice(keys) if kind in ("cancel", "reassign") or chance.random() < 0.5 else None
        until = chance.choice(keys) if chance.random() < 0.3 else None
        try:
            control = self._decided(situation, run, kind, task, until)
        except (ControlRefused, UnknownRun):
            self._world.saw("control refused")
            return
        self.say(control)

    def _decided(
        self, situation: Situation, run: Run, kind: ControlKind, task: TaskKey | None, until: TaskKey | None
    ) -> Control:
        name, interrupt = run.new.run, self._world.chance.random() < 0.3
        match kind:
            case "pause":
                targets, awaited = situation.pause(task, until, interrupt=interrupt)
                return self.wish(name, kind, *targets, until=awaited, interrupt=interrupt)
            case "resume":
                return self.wish(name, kind, *situation.resume(task))
            case "cancel":
                told = {"kind": "cancelled", "message": "people cancelled it"}
                targets = situation.cancel(task, told, WALL_AT_START + self._world.now)
                needless = situation.needless(task)
                return self.wish(name, kind, *targets, error='{"kind":"cancelled"}', needless=needless)
            case "reassign":
                assert task is not None
                return self.wish(name, kind, *situation.reassign(task, None))
            case _:
                return self.wish(name, kind, *situation.annotate(task))
