"""
What people and monitors may want with a run: which tasks it is about, and whether it can be as things are.

Everything is checked again by the store, in the transaction that does it. What is found here comes with words.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from segue.domain.decisions import Target
from segue.domain.envelope.sealing import seal_failure
from segue.domain.records import SETTLED, SINGLE, WHOLE_RUN, HandoffRecord, Pin, TaskKey, task_name
from segue.domain.rows import PauseRecord, RunRecord, TaskRecord
from segue.domain.running.plan import Plan, birth_of, run_resolved, settle_releases
from segue.errors import ControlRefused, UnknownRun


class Situation:
    """A run as it stands: its plan, its row, those of its tasks, and the pauses that stand in it."""

    def __init__(
        self,
        plan: Plan,
        record: RunRecord,
        tasks: Sequence[TaskRecord],
        pauses: Sequence[PauseRecord],
    ) -> None:
        self._plan = plan
        self._record = record
        self._tasks = {(task.node, task.item): task for task in tasks}
        self._pauses = {(pause.node, pause.item): pause for pause in pauses}

    # --- what is wanted, each with the tasks that it is about -----------------------------------------

    def pause(
        self, task: TaskKey | None, until: TaskKey | None, *, interrupt: bool
    ) -> tuple[tuple[Target, ...], Target | None]:
        """The tasks to pause (none: the run itself), and the one until which. Raises ControlRefused, UnknownRun."""
        self._check_open()
        if task is None:
            interrupts = interrupt and any(each.state == "claimed" for each in self._tasks.values())
            if self._record.paused and not interrupts:
                raise self._refused(f"run {self._run} is paused already{self._by(WHOLE_RUN)}", _RESUME_IT)
        else:
            covering = self._covering(task)
            if covering is not None and not any(
                self._may_interrupt(key, interrupt) for key in self._open(task)
            ):
                told = f"{self._name(task)} is paused already{self._by(covering)}"
                raise self._refused(told, _RESUME_IT)
            self._open(task)
        if until is not None:
            self._check_until(task, until)
        return self._just(task), None if until is None else self._target(until)

    def resume(self, task: TaskKey | None) -> tuple[Target, ...]:
        """The paused tasks to let go on (none: the run itself). Raises ControlRefused, UnknownRun."""
        self._check_open()
        if task is None:
            if not self._record.paused:
                alone = sorted(task_name(*key) for key in self._pauses)
                remedy = f"These tasks are, by themselves: {', '.join(alone)}." if alone else _NOTHING_TO_DO
                raise self._refused(f"run {self._run} is not paused", remedy)
            return ()
        self._check_known(task)
        if task in self._pauses:
            return self._just(task)
        covering = self._covering(task)
        if covering is not None:
            raise self._refused(
                f"{self._name(task)} is paused with all of {covering[0]}",
                f"Resume that: `segue resume {self._run} {covering[0]}`.",
            )
        alone = sorted(task_name(*key) for key in self._whole(task) if key in self._pauses)
        if alone:
            remedy = f"Some of its items are: {', '.join(alone)}."
        else:
            remedy = f"Its run is: `segue resume {self._run}`." if self._record.paused else _NOTHING_TO_DO
        raise self._refused(f"{self._name(task)} is not paused by itself", remedy)

    def cancel(self, task: TaskKey | None, error: Mapping[str, Any], wall: float) -> tuple[Target, ...]:
        """
        The tasks to cancel (none: the run itself), each leaving a hand-off that says why (`error`), made at `wall`.

        Raises ControlRefused, UnknownRun.
        """
        self._check_open()
        if task is None:
            return ()
        chosen = self._open(task)
        needless = {target.node for target in self.needless(task)}
        delegated = self._delegated([*chosen, *(key for key in self._tasks if key[0] in needless)])
        return tuple(self._leaving(key, error, wall) for key in [*chosen, *delegated])

    def _delegated(self, keys: Sequence[TaskKey]) -> list[TaskKey]:
        """What tasks have delegated that is still open: named after them."""
        above = tuple(f"{task_name(*key)}/" for key in keys)
        opened = (key for key, row in sorted(self._tasks.items()) if row.state not in SETTLED)
        return [key for key in opened if key[0].startswith(above)]

    def needless(self, task: TaskKey | None) -> tuple[Target, ...]:
        """What nobody needs any more when a task is cancelled: what has not settled and was for it alone."""
        if task is None or task[1] != SINGLE:
            return ()
        settled = {
            name for name in self._plan.steps if not self._is_open(name)
        }  # some of them before what they needed
        gone = {task[0], *settled}
        while more := {
            name for name in self._plan.steps if name not in gone and self._is_only_for(name, gone)
        }:
            gone |= more
        return tuple(self._target((name, SINGLE)) for name in sorted(gone - settled - {task[0]}))

    def _is_only_for(self, node: str, gone: Collection[str]) -> bool:
        step = self._plan.steps[node]
        awaiting = (name for name, other in self._plan.steps.items() if node in other.later)
        return not step.ends_run and all(name in gone for name in (*step.dependents, *awaiting))

    def _is_open(self, node: str) -> bool:
        rows = [task for key, task in self._tasks.items() if key[0] == node]
        return not rows or any(task.state not in SETTLED for task in rows)

    def reassign(self, task: TaskKey, agent: str | None) -> tuple[Target, ...]:
        """The tasks to give to others, or to another agent. Raises ControlRefused, UnknownRun."""
        self._check_open()
        chosen = [key for key in self._open(task) if self._state(key) in {"ready", "claimed", "paused"}]
        if not chosen:
            state = self._state(task).replace("_", " ")
            raise self._refused(
                f"{self._name(task)} is {state}, so nobody has it who could lose it",
                "Reassign what is ready, running or paused; pause it if it is to be caught before it starts.",
            )
        if agent is not None and self._makes_list(task):
            raise self._refused(
                f"the list of {self._name(task)} is not known yet, and its items are what agents have",
                "Reassign its items when they are there; pause it if they are to be caught before they start.",
            )
        if agent is None:
            held = [key for key in chosen if self._tasks[key].claim is not None]
            if not held:
                raise self._refused(
                    f"nobody works on {self._name(task)}",
                    "Any worker may claim it; to give it to another agent, name one.",
                )
            chosen = held
        return tuple(Target(*key) for key in chosen)

    def _makes_list(self, task: TaskKey) -> bool:
        return (
            task[1] == SINGLE
            and self._plan.steps[task[0]].node.map_parameter is not None
            and self._state(task) != "expanded"
        )

    def annotate(self, task: TaskKey | None) -> tuple[Target, ...]:
        """The task that a note is about (none: the run itself). Raises UnknownRun."""
        if task is not None:
            self._check_known(task)
        return self._just(task)

    def check_over(self, deadline: float | None, wall_now: float) -> None:
        """Whether something of the run may be tried again. Raises ControlRefused."""
        if self._record.state in ("running", "cancelled"):
            is_running = self._record.state == "running"
            told = "still runs" if is_running else "was cancelled"
            raise self._refused(
                f"run {self._run} {told}, so nothing of it can be tried again",
                "Wait for its end." if is_running else "Submit it anew.",
            )
        if deadline is not None and deadline <= wall_now:
            raise self._refused(
                f"run {self._run} is past its deadline, so nothing of it would be begun",
                "Submit it anew with a later one.",
            )

    # --- what is so -----------------------------------------------------------------------------------

    @property
    def _run(self) -> str:
        return self._record.run

    def _name(self, task: TaskKey) -> str:
        return f"{task_name(*task)} of run {self._run}"

    def _state(self, task: TaskKey) -> str:
        row = self._tasks.get(task)
        return "waiting" if row is None else row.state

    def _whole(self, task: TaskKey) -> list[TaskKey]:
        """A task, or all items of a mapped one whose list is known."""
        row = self._tasks.get(task)
        if task[1] != SINGLE or row is None or row.state != "expanded":
            return [task]
        return sorted(key for key in self._tasks if key[0] == task[0] and key[1] != SINGLE)

    def _open(self, task: TaskKey) -> list[TaskKey]:
        """Those of them that have not settled. Raises ControlRefused if all have."""
        self._check_known(task)
        found = [key for key in self._whole(task) if self._state(key) not in SETTLED]
        if not found:
            told = "settled already: all its items have" if len(self._whole(task)) > 1 else "settled already"
            state = self._state(self._whole(task)[0] if self._whole(task) else task)
            again = f"`segue retry {self._run} {task_name(*task)}` tries it again."
            raise self._refused(
                f"{self._name(task)} has {told}; it is {state.replace('_', ' ')}",
                again if state in {"failed", "dead", "cancelled"} else "What has settled stays as it is.",
            )
        return found

    def _covering(self, task: TaskKey) -> TaskKey | None:
        """The pause that is about a task: its own, or that of the mapped one that it is an item of."""
        return next((key for key in (task, (task[0], SINGLE)) if key in self._pauses), None)

    def _may_interrupt(self, key: TaskKey, interrupt: bool) -> bool:
        row = self._tasks.get(key)
        return interrupt and row is not None and row.state == "claimed"

    def _by(self, key: TaskKey) -> str:
        pause = self._pauses.get(key)
        return "" if pause is None else f", by {json.loads(pause.data).get('by')}"

    # --- checks ---------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._record.ended_at is not None:
            raise self._refused(
                f"run {self._run} has ended; it is {self._record.state}",
                f"What has ended stays as it is; `segue retry {self._run}` tries again what failed."
                if self._record.state == "failed"
                else "What has ended stays as it is.",
            )

    def _check_known(self, task: TaskKey) -> None:
        node, item = task
        if node not in self._plan.steps or (item != SINGLE and task not in self._tasks):
            names = ", ".join(self._plan.steps)
            raise UnknownRun(
                f"run {self._run} has no task {task_name(node, item)!r}",
                run=self._run,
                remedy=f"It has {names}; `segue show {self._run}` lists its tasks.",
            )

    def _check_until(self, task: TaskKey | None, until: TaskKey) -> None:
        """A pause must be able to end."""
        self._open(until)
        name = task_name(*until)
        if task is None:
            if self._state(until) == "waiting":
                raise self._refused(
                    f"{self._name(until)} waits for others, which would be paused with the run",
                    f"Pause the tasks that are to wait for {name}, or the run until a task that can end by itself.",
                )
            return
        if until[0] == task[0]:
            raise self._refused(f"{self._name(task)} cannot wait for itself", "Name another task.")
        if task[0] in self._before(until[0]):
            raise self._refused(
                f"{self._name(until)} waits for {task_name(*task)}, so that pause would never end",
                f"Name a task that does not need {task_name(*task)}.",
            )

    def _before(self, node: str) -> set[str]:
        """All that a node waits for, directly or not."""
        found: set[str] = set()
        pending = [node]
        while pending:
            step = self._plan.steps[pending.pop()]
            more = {*step.parents, *step.later} - found
            found |= more
            pending += more
        return found

    def _refused(self, what: str, remedy: str) -> ControlRefused:
        return ControlRefused(what, remedy=remedy)

    # --- targets --------------------------------------------------------------------------------------

    def _just(self, task: TaskKey | None) -> tuple[Target, ...]:
        """The target of what is for one task, or for none: then it is for the run."""
        return () if task is None else (self._target(task),)

    def _target(self, key: TaskKey) -> Target:
        return Target(*key, birth_of(self._plan.steps[key[0]]) if key[1] == SINGLE else None)

    def _leaving(self, key: TaskKey, error: Mapping[str, Any], wall: float) -> Target:
        """A task with what it leaves when it is cancelled, and what that means for others."""
        step, row = self._plan.steps[key[0]], self._tasks.get(key)
        agent = None if row is None or row.agent in (step.agent, step.node.agent) else row.agent
        sealed = seal_failure(error, agent=agent)
        version = 1 if row is None else row.version + 1
        written = (sealed.body, sealed.output_size, sealed.digest, sealed.schema)
        handoff = HandoffRecord(version, "failed", *written, wall, wall, ())
        pin = Pin(*key, version, handoff.digest, "failed")
        return self._target(key)._replace(
            handoff=handoff,
            releases=settle_releases(self._plan, *key, pin, lambda agent: None),
            run_resolved=run_resolved(self._plan, key[0]),
            tolerated=step.tolerated,
        )


_RESUME_IT = "Resume it first, if it is to be paused in another way."
_NOTHING_TO_DO = "There is nothing to do."
