"""
The store's contract as plainly as it can be said: dictionaries, one thread, nothing kept.

It is the model that the real stores are compared with, and what tests run on. It forgets everything with its
process.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from segue.domain.decisions import Untangling
from segue.domain.records import (
    ENDS_PAUSE,
    SETTLED,
    Claim,
    ClaimRequest,
    Ending,
    NewRun,
    Settled,
    Settlement,
    Submitted,
    TaskState,
    Token,
    Verdict,
)
from segue.domain.rows import Expired
from segue.domain.running.pins import pins_handed_on
from segue.ports.clock import Clock, SystemClock
from segue.ports.store import Note
from segue.stores import wording
from segue.stores.looking import Looks
from segue.stores.memory.claiming import claim_ready, own_claims, seconds_until_due
from segue.stores.memory.consuming import Consumer, Consuming
from segue.stores.memory.controlling import Controlling
from segue.stores.memory.deciding import Deciding
from segue.stores.memory.growing import Growing
from segue.stores.memory.pausing import end_pauses
from segue.stores.memory.pooling import Pooling, check_needs
from segue.stores.memory.reading import Reading
from segue.stores.memory.registering import Registering
from segue.stores.memory.remembering import Remembering
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.spending import MemorySpending
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class NobodyDies:
    """The liveness of workers that share one process: while somebody can ask, all of them live."""

    def hold(self, worker: str) -> None:
        """Nothing to do."""

    def let_go(self, worker: str) -> None:
        """Nothing to do."""

    def dead(self, workers: Collection[str]) -> set[str]:
        """Nobody."""
        return set()


class MemoryStore(
    Reading, Deciding, Controlling, Pooling, Growing, MemorySpending, Registering, Remembering, Consuming
):
    """Runs, tasks, hand-offs and events in this process's memory. For tests; it keeps nothing."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._state = State(self._clock)
        self._consumers: dict[str, Consumer] = {}
        self._looks = Looks()
        self.notifier = LocalNotifier(self._clock)
        self.liveness = NobodyDies()

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do; what is stored goes with the object."""

    async def submit(self, runs: Sequence[NewRun], worker: str, lease_seconds: float) -> Sequence[Submitted]:
        """Create runs with their roots ready or claimed."""
        by_key = {run.new.key: run.new for run in self._state.runs.values() if run.new.key is not None}
        for new in runs:
            standing = by_key.setdefault(new.key, new) if new.key is not None else new
            if not wording.same_run(standing.workflow, standing.graph_digest, standing.input, new):
                raise wording.key_conflict(new, standing.run)
            if standing is new and new.run not in self._state.runs:
                check_needs(self._state, new.needs)
        self._register_runs(runs)
        answers = [self._submit(new, worker, lease_seconds) for new in runs]
        self.notifier.notify()
        return answers

    def _submit(self, new: NewRun, worker: str, lease_seconds: float) -> Submitted:
        state = self._state
        standing = state.keys.get(new.key, new.run) if new.key is not None else new.run
        if standing != new.run:
            return Submitted(standing, created=False, claims=())
        if new.run in state.runs:
            claims = state.standing_claims(state.runs[new.run], new.roots)
            return Submitted(new.run, created=True, claims=claims)
        run = state.runs[new.run] = Run(new, self._clock.wall(), new.waits_for, needs=new.needs)
        if new.key is not None:
            state.keys[new.key] = new.run
        state.graphs.setdefault(new.graph_digest, new.graph)
        for fingerprint, schema in new.schemas:
            state.schemas.setdefault(fingerprint, schema)
        run.allowances = {("", unit): (cap, 0, 0) for unit, cap in new.caps}
        state.tell(run, wording.RUN_STARTED)
        claims = state.release_all(run, new.roots, worker, lease_seconds)
        return Submitted(new.run, created=True, claims=claims)

    async def settle(
        self,
        settlements: Sequence[Settlement],
        worker: str,
        lease_seconds: float,
        claim: ClaimRequest | None = None,
    ) -> tuple[Sequence[Settled], Sequence[Claim]]:
        """End attempts, release their dependents, and claim."""
        answers = [self._settle(settlement, worker, lease_seconds) for settlement in settlements]
        resolved: dict[str, int] = {}
        last: dict[str, int] = {}
        for index, (settlement, answer) in enumerate(zip(settlements, answers, strict=True)):
            if answer.verdict == "accepted":
                run = settlement.token.run
                resolved[run] = resolved.get(run, 0) + settlement.run_resolved
                last[run] = index
        for run, count in resolved.items():
            if self._state.count_down(self._state.runs[run], count):
                answers[last[run]] = answers[last[run]]._replace(run_state=self._state.runs[run].state)
        claims = self._claim(claim) if claim is not None else ()
        self.notifier.notify()
        return answers, claims

    def _settle(self, settlement: Settlement, worker: str, lease_seconds: float) -> Settled:
        token, ending = settlement.token, settlement.ending
        handoff = settlement.handoff if ending not in wording.ENDS_ATTEMPT_ONLY else None
        run, task = self._state.runs.get(token.run), self._state.find(token)
        if run is None or task is None:
            return Settled("stale", (), None)
        written = handoff.digest if handoff is not None else ending
        if token in run.accepted:
            if run.accepted[token] != written:
                return Settled("stale", (), None)
            run_state = run.state if run.state != "running" else None
            return Settled("repeated", self._state.standing_claims(run, settlement.releases), run_state)
        if not task.answers(token) or (handoff is not None and handoff.version != task.version + 1):
            return Settled("stale", (), None)
        run.accepted[token] = written
        if handoff is not None:
            run.keep(task, token.epoch, handoff)
        self._state.tell_task(run, task, ending, wording.settlement_data(settlement))
        if (
            ending not in {"complete", "needs_review", "expanded", "handed_back", "handed_on", "unreadable"}
            and settlement.data is not None
        ):
            task.error = settlement.data
        if ending in wording.ENDS_ATTEMPT_ONLY or ending == "handed_on":
            self._return(task, ending, settlement)
        else:
            task.tolerated = settlement.tolerated
            task.claim = None if ending == "in_doubt" else task.claim
            if ending == "needs_review":
                self._state.wait_for_review(task, settlement.review_seconds)
            else:
                self._state.set_state(task, cast(TaskState, ending))
        claims = self._state.release_all(run, settlement.releases, worker, lease_seconds)
        end_pauses(self._state, run, task)
        return Settled("accepted", claims, None, ending in SETTLED and bool(task.hold & ENDS_PAUSE))

    def _return(self, task: Task, ending: Ending, settlement: Settlement) -> None:
        """End an attempt but not its task."""
        self._state.make_ready(task, settlement.not_before if ending in {"retry", "deadlocked"} else 0.0)
        task.claim = None
        task.attempt -= ending in {"handed_back", "unreadable"}
        task.requires = settlement.requires or task.requires
        task.failures += ending == "retry"
        task.deadlocks += ending == "deadlocked"
        if ending == "handed_on" and (left := settlement.handoff) is not None:
            task.pins = pins_handed_on(task.pins or (), left.pin(task.node, task.item))
        if ending in {"reassigned", "handed_on"}:
            task.agent = settlement.successor or task.agent
            task.failures = task.losses = 0
            task.pools, task.requires = settlement.pools, None

    async def untangle(self, untangling: Untangling) -> Settled:
        """Write down a deadlock, and break it if that is wanted."""
        run, told, runs, data, victim, settlement, control = untangling
        state = self._state
        task = state.find(victim) if victim is not None else None
        stands = task is not None and victim is not None and task.answers(victim) and task.state == "claimed"
        if victim is not None and not (task is not None and stands and task.parked):
            return Settled("stale", (), None)
        if (run, told) in state.deadlocks:
            return Settled("repeated", (), None)
        if control is not None and await self.control(control) != "accepted":
            return Settled("stale", (), None)
        state.deadlocks.add((run, told))
        for each in runs:
            if each in state.runs:
                state.tell(state.runs[each], wording.RUN_DEADLOCK, data)
        self.notifier.notify()
        if settlement is None:
            return Settled("accepted", (), None)
        (answer,), _ = await self.settle([settlement], "", 0.0)
        return answer

    async def claim(self, request: ClaimRequest) -> Sequence[Claim]:
        """Claim ready tasks, oldest first."""
        claims = self._claim(request)
        if claims:
            self.notifier.notify()
        return claims

    def _claim(self, request: ClaimRequest) -> Sequence[Claim]:
        state = self._state
        own = own_claims(state, request.claim)
        if own:
            return own
        if not request.tasks:
            self._looks.note(request.agents, self._clock.boot(), self._clock.wall())
        return claim_ready(state, request)

    async def renew(self, tokens: Sequence[Token], lease_seconds: float) -> Sequence[bool]:
        """Lengthen leases."""
        until = self._clock.boot() + lease_seconds
        alive = []
        for token in tokens:
            task = self._state.find(token)
            lives = task is not None and task.answers(token) and task.state == "claimed"
            if task is not None and lives:
                task.lease = until
            alive.append(lives)
        return alive

    async def expire(self, dead_workers: Collection[str] = (), past_lease: bool = True) -> Sequence[Expired]:
        """Take back what dead workers hold, and what is past its lease or deadline."""
        expired = []
        for _, run in sorted(self._state.runs.items()):
            for _, task in sorted(run.tasks.items()):
                if self._state.runs_late(task):
                    task.claim = None
                    told = ("overrun", wording.OVERRUN_DEADLINE)
                    self._state.make_ready(task, 0.0)
                elif task.state == "claimed" and self._is_lost(task, dead_workers, past_lease):
                    told = ("expired", wording.expiry_data(task.worker or ""))
                    self._state.make_ready(task, 0.0)
                else:
                    continue
                self._state.tell_task(run, task, *told)
                expired.append(Expired(task.run, task.node, task.item, task.epoch, task.worker or ""))
        for name in sorted({each.run for each in expired}):
            self._state.judge(self._state.runs[name])
        if self._let_go_of_dead(dead_workers) or expired:
            self.notifier.notify()
        return expired

    def _is_lost(self, task: Task, dead_workers: Collection[str], past_lease: bool) -> bool:
        return task.worker in dead_workers or (past_lease and task.lease <= self._clock.boot())

    async def note(self, notes: Sequence[Note]) -> Sequence[Verdict]:
        """Append remarks of running attempts."""
        verdicts = [self._note(note) for note in notes]
        self.notifier.notify()
        return verdicts

    def _note(self, note: Note) -> Verdict:
        task = self._state.find(note.token)
        if task is None or not task.answers(note.token):
            return "stale"
        if note.pin is not None:
            pins = task.pins or ()
            if note.pin in pins:
                return "repeated"
            task.pins = (*(pin for pin in pins if pin[:2] != note.pin[:2]), note.pin)
        self._state.tell_task(self._state.runs[task.run], task, note.kind, note.data)
        return "accepted"

    async def next_due(self, agents: Collection[str]) -> float | None:
        """Seconds until something falls due."""
        waits = seconds_until_due(self._state, agents, self._looks)
        return max(0.0, min(waits)) if waits else None

    async def register_worker(self, worker: str, about: str) -> None:
        """Make a worker known."""
        self._state.workers[worker] = about

    async def forget_workers(self, workers: Collection[str]) -> None:
        """Forget workers that hold no claims."""
        tasks = [task for run in self._state.runs.values() for task in run.tasks.values()]
        busy = {task.worker for task in tasks if task.state == "claimed"}
        for worker in set(workers) - busy:
            self._state.workers.pop(worker or "", None)

    async def prune(self, ended_before: float) -> int:
        """Delete runs that ended before a time."""
        state = self._state
        gone = {
            name
            for name, run in state.runs.items()
            if run.ended_at is not None
            and run.ended_at < ended_before
            and state.log.last_of(name) <= self._passed_by_all()
        }
        for name in gone:
            run = state.runs.pop(name)
            state.keys.pop(run.new.key or "", None)
            pruned = {(name, *task) for task in run.tasks}
            state.ready -= pruned
            state.paused -= pruned
        state.log.forget(gone)
        graphs = {run.new.graph_digest for run in state.runs.values()}
        state.graphs = {digest: text for digest, text in state.graphs.items() if digest in graphs}
        return len(gone)
