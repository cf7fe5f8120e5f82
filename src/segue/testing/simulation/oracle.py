"""
The oracle of a world: it sees every transition of the store and every execution of an agent, and says what is wrong.

It keeps accounts of its own and never asks the code that it judges what should have happened. The invariants have the
names that a failure prints:

    I1   one accepted hand-off for each task and version; what is complete does not change
    I2   what was acknowledged is never lost or changed, and nobody is told "stale" about what he may write
    I3   nothing is accepted from a token that was superseded or revoked
    I4   an agent's inputs are exactly the hand-offs that its claim has pinned
    I5   nothing starts before what it waits for has settled, nor on a claim that was not granted
    I6   state and event come together: gap-free, one ending for each task that has settled
    I7   only a grant raises an epoch, by one; no two grants share a token
    I8   when faults have ceased everything comes to its end, and no engine stops without a fault
    I9   who reads the log from a cursor misses nothing
    I10  nothing runs twice for one grant, and nothing is granted again without a reason
    I11  no process runs more agents than it has places, and every place comes back
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from segue.domain.records import Event, Settled, Settlement, TaskState, Token, parse_task_name, task_name
from segue.stores.memory.rows import Run, Task
from segue.testing.simulation.executions import Executions
from segue.testing.simulation.ledger import Account, Facts, Key, facts_of, written_by
from segue.testing.simulation.order import early_start, latest_pins, texts_of, unfinished, wrong_inputs

if TYPE_CHECKING:
    from segue.ports.store import Review
    from segue.testing.simulation.workload import Order
    from segue.testing.simulation.world import World

NOTES = frozenset({"parked", "awaited", "resumed", "progress"})
"""Events that say nothing about the state of a task."""

MADE_READY = frozenset({"ready", "retry", "handed_back", "expired", "reassigned", "overrun", "redriven"})
ENDINGS: frozenset[TaskState] = frozenset({"complete", "failed", "dead", "skipped", "expanded", "cancelled"})

NEXT_STATES: dict[TaskState | None, frozenset[TaskState]] = {
    None: frozenset({"waiting", "ready", "claimed"}),
    "waiting": frozenset({"ready", "claimed", "cancelled"}),
    "needs_review": frozenset({"complete", "failed", "cancelled", "needs_review"}),
    "ready": frozenset({"claimed", "ready", "needs_review", "in_doubt", *ENDINGS}),
    "claimed": frozenset({"claimed", "ready", "needs_review", "in_doubt", *ENDINGS}),
}
"""Where a task may go from a state; from any other it goes nowhere."""

REVOKING = frozenset({"retry", "handed_back", "reassigned"})
GRANTING = frozenset({"submit", "settle", "claim"})
RENEWING = 1e-6
"""Leases are compared to within so many seconds."""


class Oracle:
    """Judges one world. The first thing that is wrong is kept, and ends it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth
        self._accounts: dict[Key, Account] = {}
        self._sequences: dict[str, int] = {}
        self._run_ends: dict[str, str] = {}
        self._claims: set[str] = set()
        self._acknowledged: dict[tuple[Key, int], str] = {}
        self._position = 0
        self.executions = Executions(world, self)

    def account(self, key: Key) -> Account:
        """What is known of a task."""
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account()
        return account

    def wrong(self, invariant: str, what: str) -> None:
        """Something is wrong."""
        self._world.violated(invariant, what)

    # --- transitions of the store ---------------------------------------------------------------------

    def transition(self, verb: str, args: Sequence[Any], result: Any) -> None:
        """A verb was carried out: compare what it says with what it did."""
        if verb == "renew":
            self._renewed(args[0], args[1], result)
        elif verb == "expire":
            self._expired(args, result)
        elif verb == "settle":
            for settlement, settled in zip(args[0], result[0], strict=True):
                self._settled(settlement, settled)
        elif verb == "review":
            self._reviewed(args[0], result)
        told = self._read_events()
        changed = self._read_changes()
        for key, (task, before, after) in changed.items():
            self._changed(verb, args, key, task, before, after)
            if key not in told and after.state != "waiting":
                self.wrong("I6", f"{_name(key)} became {after.state} and no event says so")
        for key in told:
            if key not in changed:
                event = self.account(key).last_event
                self.wrong("I6", f"an event says that {_name(key)} is {event}, and nothing has changed")

    def _settled(self, settlement: Settlement, settled: Settled) -> None:
        token = settlement.token
        account = self.account(token[:3])
        written = written_by(settlement)
        before = account.accepted.get(token)
        state = account.facts.state
        self._world.saw(f"settlement {settled.verdict}")
        match settled.verdict:
            case "accepted":
                if before is not None:
                    self.wrong("I1", f"{token} was accepted a second time")
                self._accept(settlement, account)
            case "repeated":
                if before != written:
                    self.wrong("I2", f"{token} was told 'repeated' and had written {before}, not {written}")
            case "stale":
                if before == written:
                    self.wrong("I2", f"{token} was told 'stale' about what it has written itself")
                open_run = self._truth.runs[token.run].state in ("running", "needs_review")
                may_write = token == account.latest and token not in account.revoked and before is None
                if may_write and open_run and state in ("claimed", "ready"):
                    self.wrong("I2", f"{token} was refused although nobody has superseded it")

    def _accept(self, settlement: Settlement, account: Account) -> None:
        token, handoff = settlement.token, settlement.handoff
        if token in account.revoked:
            self.wrong("I3", f"{token} was revoked and wrote {settlement.ending}")
        if token != account.latest:
            self.wrong("I3", f"{token} was superseded by {account.latest} and wrote {settlement.ending}")
        if account.facts.state == "ready":
            self._world.saw("late result accepted")
        account.accepted[token] = written_by(settlement)
        self._world.saw(f"ending {settlement.ending}")
        if settlement.ending in REVOKING:
            account.revoked.add(token)
            account.handed_back += settlement.ending == "handed_back"
        if handoff is None:
            return
        account.digests.append(handoff.digest)
        if handoff.version != len(account.digests):
            self.wrong("I1", f"{_name(token[:3])} got version {handoff.version} twice, or left one out")
        execution = self.executions.by_token.get(token)
        if handoff.status == "complete" and execution is not None:
            run = self._truth.runs[token.run]
            plan = self._world.plan_of(run)
            problem = wrong_inputs(plan, run, run.tasks[token[1:3]], execution.inputs)
            if problem is not None:
                self.wrong("I4", f"{_name(token[:3])}: {problem}")
            if any(f"#{execution.number}" not in text for text in texts_of(handoff)):
                self.wrong("I1", f"{token} has handed over what it did not make")

    def _reviewed(self, review: Review, verdict: str) -> None:
        self._world.saw(f"decision {verdict}")
        account = self.account((review.run, review.node, review.item))
        handoff = review.handoff
        if verdict == "repeated" and (handoff.version, handoff.status) not in account.decisions:
            self.wrong("I2", f"a person was told that {handoff.status} was decided, and it was not")
        if verdict == "accepted":
            account.decisions.add((handoff.version, handoff.status))
            account.digests.append(handoff.digest)
            if handoff.version != len(account.digests):
                self.wrong("I1", f"two decisions on {_name((review.run, review.node, review.item))}")

    def _renewed(self, tokens: Sequence[Token], lease_seconds: float, alive: Sequence[bool]) -> None:
        for token, kept in zip(tokens, alive, strict=True):
            account = self.account(token[:3])
            lives = account.facts.state == "claimed" and token == account.latest
            if kept and (not lives or token in account.revoked):
                self.wrong("I3", f"{token} was renewed and had lost its claim")
            if kept:
                account.lease_until = self._world.now + lease_seconds
            else:
                self._world.saw("renewal refused")

    def _expired(self, args: Sequence[Any], expired: Iterable[Any]) -> None:
        for each in expired:
            key = (each.run, each.node, each.item)
            account = self.account(key)
            dead = set(args[0]) if args else set()
            self._world.saw("death noticed" if each.worker in dead else "lease ran out")
            if each.worker not in dead and self._world.now < account.lease_until - RENEWING:
                self.wrong("I10", f"{_name(key)} was taken from {each.worker}, whose lease had not run out")
            for worker in dead:
                if (process := self._world.by_name.get(worker)) is not None and process.alive:
                    self.wrong("I10", f"{worker} was taken for dead and lives")

    # --- what was written ------------------------------------------------------------------------------

    def _read_changes(self) -> dict[Key, tuple[Task, Facts, Facts]]:
        changed = {}
        accounts = self._accounts
        for name, run in self._truth.runs.items():
            for (node, item), task in run.tasks.items():
                key = (name, node, item)
                after = facts_of(task)
                account = accounts.get(key)
                if account is None:
                    account = accounts[key] = Account()
                if account.facts != after:
                    changed[key] = (task, account.facts, after)
                    account.facts = after
        return changed

    def _read_events(self) -> dict[Key, None]:
        """Take note of new events; the tasks whose state they speak of."""
        told: dict[Key, None] = {}
        events = self._truth.events_from(self._position)
        self._position += len(events)
        for event in events:
            expected = self._sequences.get(event.run, 0) + 1
            self._sequences[event.run] = event.sequence
            if event.sequence != expected:
                self.wrong("I6", f"event {event.sequence} of {event.run} came where {expected} was due")
            self._world.trace.note("store", event.name, event.run, event.task, event.epoch)
            kind = event.name.rpartition(".")[2]
            if event.task is None:
                self._run_told(event, kind)
            elif kind not in NOTES:
                key = (event.run, *parse_task_name(event.task))
                told[key] = None
                account = self.account(key)
                account.last_event = kind
                account.claims_told += kind == "claimed"
                account.ends_told = 0 if kind == "redriven" else account.ends_told + (kind in ENDINGS)
        return told

    def _run_told(self, event: Event, kind: str) -> None:
        run = self._truth.runs[event.run]
        running = kind in ("started", "resumed")
        if not running and kind not in (run.state, "needs_review"):
            self.wrong("I6", f"an event says that {event.run} is {kind}, and it is {run.state}")
        if kind in ("complete", "failed", "cancelled"):
            if event.run in self._run_ends:
                self.wrong("I6", f"{event.run} has ended twice")
            self._run_ends[event.run] = kind
            self._world.saw(f"run {kind}")
            left = unfinished(self._world.plan_of(run), run) if kind != "cancelled" else None
            if left is not None:
                self.wrong("I8", f"{event.run} has ended, and its task {left} has not")

    def _changed(
        self, verb: str, args: Sequence[Any], key: Key, task: Task, before: Facts, after: Facts
    ) -> None:
        account = self._accounts[key]
        if after.state not in NEXT_STATES.get(before.state, frozenset()):
            self.wrong("I1", f"{_name(key)} was {before.state} and became {after.state} by {verb}")
        if after.epoch != before.epoch:
            self._granted(verb, args, key, task, before, after)
        if after.state == "cancelled" and account.latest is not None:
            account.revoked.add(account.latest)
        expected = MADE_READY if after.state == "ready" else {after.state}
        if after.state != "waiting" and account.last_event not in expected:
            self.wrong("I6", f"{_name(key)} is {after.state}, and its last event is {account.last_event}")
        if account.claims_told != after.epoch:
            self.wrong(
                "I6", f"{_name(key)} has epoch {after.epoch}, and {account.claims_told} claims are told"
            )
        if account.ends_told != (after.state in ENDINGS):
            self.wrong("I6", f"{_name(key)} is {after.state}, and has ended {account.ends_told} times")
        if after.attempt != len(account.grants) - account.handed_back:
            self.wrong(
                "I10", f"{_name(key)} counts {after.attempt} attempts after {len(account.grants)} grants"
            )
        self._check_kept(key)

    def _granted(
        self, verb: str, args: Sequence[Any], key: Key, task: Task, before: Facts, after: Facts
    ) -> None:
        account = self._accounts[key]
        token = Token(*key, after.epoch, after.claim or "")
        if after.epoch != before.epoch + 1 or verb not in GRANTING or after.claim in self._claims:
            self.wrong("I7", f"{_name(key)} went from epoch {before.epoch} to {token} by {verb}")
        run = self._truth.runs[key[0]]
        plan = self._world.plan_of(run)
        early = early_start(plan, run, task)
        if early is not None:
            self.wrong("I5", f"{_name(key)} was granted before {early} had settled")
        pins = frozenset(task.pins or ())
        wanted = latest_pins(run, plan.steps[task.node].parents)
        if not account.grants and pins != wanted:
            self.wrong("I4", f"{_name(key)} has pinned {sorted(pins)} and not {sorted(wanted)}")
        self._world.saw("taken over" if account.grants else "granted")
        self._claims.add(token.claim)
        account.grants.append(token)
        account.lease_until = self._world.now + self._world.lease_seconds

    def _check_kept(self, key: Key) -> None:
        run, node, item = key
        stored = [each.record.digest for each in self._truth.runs[run].handoffs.get((node, item), ())]
        if stored != self._accounts[key].digests:
            self.wrong("I2", f"the hand-offs of {_name(key)} are not those that were accepted")

    # --- what was answered -----------------------------------------------------------------------------

    def answered(self, verb: str, args: Sequence[Any], result: Any) -> None:
        """An answer has reached a process: from now on it counts on it."""
        if verb != "settle":
            return
        for settlement, settled in zip(args[0], result[0], strict=True):
            handoff = settlement.handoff
            if settled.verdict != "stale" and handoff is not None:
                self._acknowledged[settlement.token[:3], handoff.version] = handoff.digest

    def submitted(self, order: Order, run: str) -> None:
        """Somebody was told under which id the run stands that he wanted."""
        self._world.saw("submitted" if order.run is None else "submitted again")
        if order.run not in (None, run):
            self.wrong("I2", f"the run under {order.key} was {order.run} and is {run} now")
        if run not in self._truth.runs:
            self.wrong("I2", f"{run} was acknowledged and is not there")
        order.run = run

    def last_look(self) -> None:
        """The world has come to its end: what was acknowledged is there, and nothing happened without a reason."""
        for (key, version), digest in self._acknowledged.items():
            stored = self._truth.runs[key[0]].handoffs.get(key[1:], [])
            if len(stored) < version or stored[version - 1].record.digest != digest:
                self.wrong("I2", f"version {version} of {_name(key)} was acknowledged and is lost")
        for key, account in self._accounts.items():
            self._check_kept(key)
            if not self._world.weather.kinds and len(account.grants) > 1:
                self.wrong("I10", f"{_name(key)} was granted {len(account.grants)} times and nothing failed")
        keys = [run.new.key for run in self._truth.runs.values()]
        if len(set(keys)) != len(keys):
            self.wrong("I1", "two runs stand under one key")


def _name(key: Key) -> str:
    return f"{key[0]}/{task_name(key[1], key[2])}"


def open_runs(runs: Iterable[Run]) -> list[str]:
    """Runs that have not ended, with what keeps them."""
    return [
        f"{run.new.run} ({run.state}): "
        + ", ".join(f"{task_name(*key)} {task.state}" for key, task in run.tasks.items())
        for run in runs
        if run.state in ("running", "needs_review")
    ]
