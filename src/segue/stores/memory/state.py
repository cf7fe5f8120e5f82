"""The steps that every transition in memory is made of."""

from __future__ import annotations

from collections.abc import Sequence

from segue.domain.records import (
    HAS_SHARE,
    PAUSED,
    PAUSED_WITH_RUN,
    SETTLED,
    SINGLE,
    Claim,
    Limits,
    Overrun,
    PayloadRecord,
    Release,
    RunState,
    TaskState,
    Token,
    task_name,
)
from segue.domain.running.overruns import deadline_of, overrun_of
from segue.ports.clock import Clock
from segue.stores import wording
from segue.stores.memory.accounts import Rows
from segue.stores.memory.rows import Log, Run, Task
from segue.stores.spending import give_back


class State:
    """All that a memory store holds. Each step changes rows and writes down what happened."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log = Log()
        self.runs: dict[str, Run] = {}
        self.keys: dict[str, str] = {}
        self.graphs: dict[str, str] = {}
        self.schemas: dict[str, str] = {}
        self.payloads: dict[tuple[str, str], PayloadRecord] = {}
        self.ready: set[tuple[str, str, int]] = set()
        self.paused: set[tuple[str, str, int]] = set()
        self.workers: dict[str, str] = {}
        self.pools: dict[str, int] = {}
        self.deadlocks: set[tuple[str, str]] = set()
        """Under which ids deadlocks were told, each of a run."""

    def find(self, token: Token) -> Task | None:
        """The task that a token is about."""
        run = self.runs.get(token.run)
        return run.tasks.get((token.node, token.item)) if run is not None else None

    def release_all(
        self, run: Run, releases: Sequence[Release], worker: str, lease_seconds: float
    ) -> tuple[Claim, ...]:
        """Tell dependents what was settled; the claims of those that start at once."""
        claims = [self.release(run, release, worker, lease_seconds) for release in releases]
        return tuple(claim for claim in claims if claim is not None)

    def release(self, run: Run, release: Release, worker: str, lease_seconds: float) -> Claim | None:
        """Bring one dependent nearer to its start."""
        key = (release.node, release.item)
        task = run.tasks.get(key)
        if task is None:
            task = Task(run.new.run, *key, release.agent, release.need, release.parents, release.pins)
            task.spare = release.spare
            task.hold = self._hold_at_birth(run, release)
            run.tasks[key] = task
        if task.state != "waiting":
            return None
        task.parents, task.pins, task.pools = release.parents, release.pins, release.pools
        if not self._count(task, release):
            return None
        self.start_budgets(task, release.limits)
        self.make_ready(task, 0.0)
        if release.claim is None or task.hold & PAUSED:
            self.tell_task(run, task, task.state)
            return None
        return self.grant(run, task, release.claim, worker, lease_seconds)

    def _hold_at_birth(self, run: Run, release: Release) -> int:
        """An item of a mapped task is paused if that was, anything else if its run is."""
        whole = run.tasks.get((release.node, SINGLE)) if release.item != SINGLE else None
        if whole is not None:
            return whole.hold
        return PAUSED_WITH_RUN if run.paused else 0

    def _count(self, task: Task, release: Release) -> bool:
        """Count what a parent has handed over, or that it has nothing; whether the task can start."""
        if task.spare is None:
            task.waiting -= release.resolved
            task.broken |= release.broken
            return task.waiting <= 0
        task.waiting -= max(release.resolved, 0)
        task.spare -= max(-release.resolved, 1) if release.broken else 0
        task.broken = task.spare < 0
        return task.waiting <= 0 or task.broken

    def grant(self, run: Run, task: Task, claim: str, worker: str, lease_seconds: float) -> Claim:
        """Give a task that lies to a worker, with the exact version of each input."""
        task.epoch += 1
        task.attempt += 1
        task.losses += task.claim is not None
        task.overrun = self.overrun(task)
        task.claim, task.worker = claim, worker
        task.parked, task.wants, task.awaits = False, False, ()
        task.lease = self.clock.boot() + lease_seconds
        task.claimed_at = self.clock.wall()
        if task.pins is None:
            task.pins = run.latest_pins(task.parents)
        self.set_state(task, "claimed")
        self.tell_task(run, task, "claimed")
        return task.granted()

    def standing_claims(self, run: Run, releases: Sequence[Release]) -> tuple[Claim, ...]:
        """The claims that a repeated call was given the first time and that still stand."""
        tasks = [(release, run.tasks.get((release.node, release.item))) for release in releases]
        return tuple(
            task.granted()
            for release, task in tasks
            if task is not None and task.state == "claimed" and release.claim and task.claim == release.claim
        )

    def overrun(self, task: Task) -> Overrun | None:
        """Which budget of a task that lies has run out; what is paused waits for no worker, and so has its deadline."""
        queue_by = task.queue_by if task.state == "ready" else None
        return overrun_of(queue_by, task.deadline, self.clock.boot(), self.clock.wall())

    def start_budgets(self, task: Task, limits: Limits | None) -> None:
        """Let the budgets begin of a task that is about to become ready for the first time."""
        task.queue_seconds = limits.queue_seconds if limits is not None else None
        task.deadline = deadline_of(limits, self.clock.wall())

    def runs_late(self, task: Task) -> bool:
        """Whether a task was claimed before its deadline and has passed it since."""
        if task.state != "claimed" or task.deadline is None or task.claimed_at is None:
            return False
        return task.claimed_at < task.deadline <= self.clock.wall()

    def ready_tasks(self) -> list[Task]:
        """All tasks that are ready, some of them not yet due."""
        return [self.runs[name].tasks[node, item] for name, node, item in self.ready]

    def paused_tasks(self) -> list[Task]:
        """All tasks that are paused."""
        return [self.runs[name].tasks[node, item] for name, node, item in self.paused]

    def make_ready(self, task: Task, delay_seconds: float) -> None:
        """Let anybody claim a task, after a delay; one that is on hold is paused."""
        task.due = self.clock.boot() + delay_seconds
        task.ready_at = self.clock.wall() + delay_seconds
        task.queue_by = task.due + task.queue_seconds if task.queue_seconds is not None else None
        self.set_state(task, "paused" if task.hold & PAUSED else "ready")

    def wait_for_review(self, task: Task, seconds: float | None) -> None:
        """Let people decide on a task, within so many seconds from now."""
        task.review_by = None if seconds is None else self.clock.wall() + seconds
        self.set_state(task, "needs_review")

    def set_state(self, task: Task, state: TaskState) -> None:
        """Move a task to a state."""
        key = (task.run, task.node, task.item)
        task.state = state
        self.ready.discard(key)
        self.paused.discard(key)
        if state == "ready":
            self.ready.add(key)
        elif state == "paused":
            self.paused.add(key)
        if state not in {"ready", "claimed", "paused"}:
            task.settled_at = self.clock.wall()
        if state in SETTLED and task.hold & HAS_SHARE:
            give_back(Rows(self.runs[task.run]), task.node, task.item)

    def count_down(self, run: Run, resolved: int) -> bool:
        """
        End a run when the last task that it waits for is settled, and else judge it.

        Whether it has ended or needs a review now.
        """
        run.waits_for -= resolved
        before = run.state
        if before not in {"running", "needs_review"}:
            return False
        if resolved and run.waits_for <= 0:
            failed = any(
                task.state in {"failed", "dead", "cancelled"} and not task.tolerated
                for task in run.tasks.values()
            )
            for task in [each for _, each in sorted(run.tasks.items())] if run.cut else ():
                self.cancel_needless(run, task, wording.NEEDED_BY_NOBODY)
            self.end(run, "failed" if failed else "complete", None)
        else:
            self.judge(run)
        return run.state not in {before, "running"}

    def judge(self, run: Run) -> None:
        """Say of a run that only a person can move it, or that it moves again."""
        if run.state == "running" and run.stuck:
            run.state = "needs_review"
            self.tell(run, wording.RUN_NEEDS_REVIEW)
        elif run.state == "needs_review" and not run.stuck:
            run.state = "running"
            self.tell(run, wording.RUN_RESUMED)

    def cancel_needless(self, run: Run, task: Task, error: str | None) -> bool:
        """Cancel a task that nobody needs any more; whether it was open."""
        if task.state in SETTLED:
            return False
        self.set_state(task, "cancelled")
        task.claim, task.error, task.tolerated, task.review_by = None, error, True, None
        self.tell_task(run, task, "cancelled")
        return True

    def end(self, run: Run, state: RunState, data: str | None) -> None:
        """End a run, and its pauses with it."""
        run.state = state
        run.ended_at = self.clock.wall()
        if run.pauses:
            run.pauses.clear()
            run.paused = False
            for task in run.tasks.values():
                task.hold &= ~PAUSED
        self.tell(run, wording.run_event(state), data)

    def tell(self, run: Run, name: str, data: str | None = None) -> None:
        """Write down that something happened to a run."""
        self.log.append(run, name, None, None, self.clock.wall(), data)

    def tell_task(self, run: Run, task: Task, what: str, data: str | None = None) -> None:
        """Write down that something happened to a task."""
        name = wording.task_event(task.agent, what)
        self.log.append(run, name, task_name(task.node, task.item), task.epoch, self.clock.wall(), data)
