"""The oracle's eye on the store's rows and log: what has changed, whether it may, and whether the log says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.domain.records import SETTLED, TaskState, Token, is_grown, parse_task_name
from segue.domain.rows import Event
from segue.stores.memory.rows import Task
from segue.stores.wording import RUN_GREW
from segue.testing.simulation.ledger import Account, Accounts, Facts, Key, facts_of, name_of
from segue.testing.simulation.order import asked_with, early_start, latest_pins, unfinished

if TYPE_CHECKING:
    from segue.testing.simulation.grown import Grown
    from segue.testing.simulation.steered import Steered
    from segue.testing.simulation.world import World

GIVEN_BACK = frozenset({"retry", "handed_back", "handed_on", "unreadable", "reassigned", "deadlocked"})
"""Endings of an attempt after which its task goes on."""

MADE_READY = frozenset(
    {"ready", "delegated", "expired", "overrun", "resolved", "unpaused", "interrupted", *GIVEN_BACK}
)
"""Events after which a task is ready, or paused where somebody wants that."""

REVOKED = frozenset({"overrun", "redriven", "resolved", "cancelled", "interrupted", *GIVEN_BACK})
"""Events after which nobody holds the task, and nobody who held it may write."""

TELLING = frozenset({"claimed", "paused", "needs_review", "in_doubt", "redriven", *MADE_READY, *SETTLED})
"""Events that say which state a task is in; all others are notes."""

NEXT_STATES: dict[str, frozenset[TaskState]] = {
    "waiting": frozenset({"ready", "paused", "claimed", "cancelled"}),
    "needs_review": frozenset({"complete", "failed", "cancelled", "needs_review"}),
    "ready": frozenset({"claimed", "ready", "paused", "needs_review", "in_doubt", *SETTLED}),
    "paused": frozenset({"claimed", "ready", "paused", "needs_review", "in_doubt", *SETTLED}),
    "claimed": frozenset({"ready", "paused", "needs_review", "in_doubt", *SETTLED}),
    "in_doubt": frozenset({"ready", "paused", "cancelled"}),
}
"""Where a task may go from a state; from any other it goes nowhere, unless somebody lets it be tried again."""

AGAIN = frozenset({"failed", "dead", "cancelled", "skipped", "waiting"})

GRANTING = frozenset({"submit", "settle", "claim"})
EARLY = 1e-6
"""Times are compared to within so many seconds."""


class Rows:
    """Compares the rows with what they were, and with the log."""

    def __init__(self, world: World, accounts: Accounts, grown: Grown, steered: Steered) -> None:
        self._world = world
        self._steered = steered
        self._truth = world.truth
        self._wrong = world.violated
        self._accounts = accounts
        self._grown = grown
        self._sequences: dict[str, int] = {}
        self._run_ends: dict[str, str] = {}
        self._position = 0

    def look(self, verb: str) -> None:
        """Look at all that a verb has changed."""
        told = self._read_events()
        changed = self._read_changes()
        for key, (task, before, after) in changed.items():
            self._changed(verb, key, task, before, after, told.get(key, []))
        for key, kinds in told.items():
            if key not in changed:
                self._wrong("I6", f"the log says that {name_of(key)} is {kinds[-1]}, and nothing has changed")

    def check_kept(self, key: Key) -> None:
        """The stored hand-offs of a task are those that were accepted, in this order."""
        run, node, item = key
        stored = [each.record.digest for each in self._truth.runs[run].handoffs.get((node, item), ())]
        if stored != self._accounts[key].digests:
            self._wrong("I2", f"the hand-offs of {name_of(key)} are not those that were accepted")

    def _read_changes(self) -> dict[Key, tuple[Task, Facts, Facts]]:
        changed = {}
        accounts = self._accounts
        for name, run in self._truth.runs.items():
            for (node, item), task in run.tasks.items():
                key = (name, node, item)
                after, account = facts_of(task), accounts[key]
                if account.facts != after:
                    changed[key] = (task, account.facts, after)
                    account.facts = after
        return changed

    def _read_events(self) -> dict[Key, list[str]]:
        """Take note of new events; what they say of the state of tasks."""
        told: dict[Key, list[str]] = {}
        events = self._truth.events_from(self._position)
        self._position += len(events)
        for event in events:
            expected = self._sequences.get(event.run, 0) + 1
            self._sequences[event.run] = event.sequence
            if event.sequence != expected:
                self._wrong("I6", f"event {event.sequence} of {event.run} came where {expected} was due")
            self._world.trace.note("store", event.name, event.run, event.task, event.epoch)
            kind = event.name.rpartition(".")[2]
            if event.name == RUN_GREW:
                self._grown.told(event.run)
            elif event.name.startswith("run.") and kind != "annotated":
                self._run_told(event, kind)
            elif event.task is not None and kind in TELLING:
                key = (event.run, *parse_task_name(event.task))
                account = self._accounts[key]
                if self._moves(event, kind, key, told.get(key, [account.facts.state])[-1]):
                    told.setdefault(key, []).append(kind)
                    self._task_told(account, kind)
        return told

    def _moves(self, event: Event, kind: str, key: Key, before: str | None) -> bool:
        """Whether an event says that its task has changed its state: a word on one that runs may not."""
        match kind:
            case "resolved":
                return before == "in_doubt"
            case "paused":
                return event.data is None or before == "ready"
            case "unpaused":
                lay = before in {"paused", "expired", *GIVEN_BACK}
                return lay and self._truth.runs[key[0]].tasks[key[1:]].state != "paused"
        return True

    def _task_told(self, account: Account, kind: str) -> None:
        account.ends_told += kind in SETTLED
        match kind:
            case "claimed":
                account.claims_told += 1
                account.losses += account.is_lost
                account.is_lost = False
            case "expired":
                account.is_lost = True
            case "redriven" | "reassigned" | "handed_on":
                account.failures = account.losses = 0
                account.is_lost = False
            case "ready" | "paused" | "unpaused":
                pass
            case _:
                account.is_lost = False
        if kind == "redriven":
            account.ends_told = 0
        if kind in ("redriven", "unpaused"):
            account.due = 0.0
        if kind in ("redriven", "overrun", "interrupted") and account.latest is not None:
            account.revoked.add(account.latest)

    def _run_told(self, event: Event, kind: str) -> None:
        if kind not in ("started", "resumed", "needs_review", "complete", "failed", "cancelled"):
            return  # a word about it
        run = self._truth.runs[event.run]
        running = kind in ("started", "resumed")
        if not running and kind not in (run.state, "needs_review", "deadlock"):
            self._wrong("I6", f"the log says that {event.run} is {kind}, and it is {run.state}")
        if kind == "resumed":
            self._run_ends.pop(event.run, None)
        if kind not in ("complete", "failed", "cancelled"):
            return
        if event.run in self._run_ends:
            self._wrong("I6", f"{event.run} has ended twice")
        self._run_ends[event.run] = kind
        self._world.saw(f"run {kind}")
        left = unfinished(self._world.plan_of(run), run)
        if left is not None:
            self._wrong("I8", f"{event.run} has ended, and its task {left} has not")

    def _changed(self, verb: str, key: Key, task: Task, before: Facts, after: Facts, told: list[str]) -> None:
        account = self._accounts[key]
        self._steered.check(key, after.state or "")
        self._check_way(verb, key, before, after, told)
        if after.epoch != before.epoch:
            self._granted(verb, key, task, before, after)
        if after.state == "cancelled" and account.latest is not None:
            account.revoked.add(account.latest)
        if account.claims_told != after.epoch:
            self._wrong(
                "I6", f"{name_of(key)}: epoch {after.epoch}, and {account.claims_told} claims are told"
            )
        if account.ends_told != (after.state in SETTLED):
            self._wrong("I6", f"{name_of(key)} is {after.state}, and has ended {account.ends_told} times")
        if after.attempt != len(account.grants) - account.handed_back:
            self._wrong("I10", f"{name_of(key)}: {after.attempt} attempts after {len(account.grants)} grants")
        self.check_kept(key)

    def _check_reader(self, key: Key, task: Task) -> None:
        """What requires something is not granted to a process whose code cannot read it."""
        process = self._world.by_name.get(task.worker or "")
        to_settle = task.broken or task.overrun is not None
        if (
            task.requires is not None
            and process is not None
            and not to_settle
            and process.place.code == "old"
        ):
            self._wrong("I14", f"{name_of(key)} requires {task.requires} and was granted to {process.name}")

    def _check_way(self, verb: str, key: Key, before: Facts, after: Facts, told: list[str]) -> None:
        """Follow the events from state to state: each step may be taken, and the last is where the task is."""
        state: str = before.state or "waiting"
        lying = "paused" if self._steered.holds(key) else "ready"
        for kind in told:
            if kind == "redriven":
                following = "waiting" if after.state == "waiting" else lying
                allowed = verb == "control" and state in AGAIN
            else:
                following = lying if kind in MADE_READY else kind
                allowed = following in NEXT_STATES.get(state, frozenset())
            if not allowed:
                self._wrong("I1", f"{name_of(key)} was {state} and became {following} by {verb}")
            state = following
        if told and told[-1] in REVOKED and after.claim is not None:
            self._wrong("I3", f"{name_of(key)} is {told[-1]}, and its claim was not revoked")
        if state != after.state:
            self._wrong("I6", f"{name_of(key)} is {after.state} after {verb}, and the log says {state}")

    def _granted(self, verb: str, key: Key, task: Task, before: Facts, after: Facts) -> None:
        account = self._accounts[key]
        token = Token(*key, after.epoch, after.claim or "")
        if after.epoch != before.epoch + 1 or verb not in GRANTING or token in account.grants:
            self._wrong("I7", f"{name_of(key)} went from epoch {before.epoch} to {token} by {verb}")
        run = self._truth.runs[key[0]]
        plan = self._world.plan_of(run)
        early = early_start(plan, run, task)
        if early is not None:
            self._wrong("I5", f"{name_of(key)} was granted before {early} had settled")
        if self._steered.holds(key) and task.overrun != "deadline":
            self._wrong("I18", f"{name_of(key)} was granted, and somebody has paused it")
        if self._world.now < account.due - EARLY and task.overrun is None:
            self._wrong("I10", f"{name_of(key)} was granted before its delay was over")
        self._check_reader(key, task)
        pins = frozenset(task.pins or ())
        wanted = (
            asked_with(run, task) if is_grown(task.node) else latest_pins(run, plan.steps[task.node].parents)
        )
        if not account.grants and pins != wanted:
            self._wrong("I4", f"{name_of(key)} has pinned {sorted(pins)} and not {sorted(wanted)}")
        self._world.saw("taken over" if account.grants else "granted")
        account.grants.append(token)
        account.losses_at[token] = account.losses
        account.granted_by = verb
        account.lease_until = self._world.now + self._world.lease_seconds
