"""What must hold whatever happened: the store against what was acknowledged, what ran, and what workers said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from segue.app.host import Host
from segue.domain.records import task_name
from segue.domain.rows import RunRecord
from segue.domain.running.spending import ROOT
from segue.ports.store import Store
from segue.stores.sqlite.file.checking import file_problems
from segue.stores.urls import file_of
from segue.testing.auditing import RunContents, all_runs, audit, read_contents
from segue.testing.chaos.crew import Crew
from segue.testing.chaos.errand import cashier
from segue.testing.chaos.witness import read_journals, read_lines
from segue.testing.chaos.workload import LET_GO_ON, NOTES_PER_RUN, PARKED, expected
from segue.testing.ledger import missing

INVARIANTS = {
    "kept": "what was acknowledged is in the store, unchanged",
    "once": "every task has exactly one accepted final hand-off, and every command was obeyed at most once",
    "paid": "every effect outside happened exactly once",
    "spent": "what is spent and reserved fits the cap, every call is counted, and nothing stays reserved",
    "told": "every event that somebody wanted was acted on exactly once",
    "ended": "every run has ended, with the right result, and nobody holds a place or waits for one",
    "log": "the log says what the state says, without a gap, and every artifact and schema is there",
    "waste": "nothing ran twice without a reason that is in the log",
    "quiet": "nobody heard that the database is locked, or of an unexpected error",
    "sound": "the file passes its own check",
}
"""Name and meaning of each invariant, in the order in which they are shown."""

Verdict = dict[str, list[str]]
"""What is wrong, by invariant; nothing but empty lists if all is well."""

ALLOWED_WORDS = ("StoreUnavailable: the answer to", "StoreFull:")
"""What workers may say: they were told that an answer was lost, or that the disk is full, because it was so."""

CLAIMED_AGAIN = frozenset({"expired", "retry", "handed_back", "unreadable", "handed_on", "deadlocked"})
"""The events that let a task be claimed once more."""

HANDED_OVER_BEFORE = frozenset({"needs_review", "handed_on", "delegated"})
"""The events that leave a hand-off which is not the last word."""

ERRAND = "errand/aide.1"
"""The task that every story grows by."""

ACCOUNTS = {(ROOT, "tokens"), (ROOT, "handoffs"), (ERRAND, "tokens")}
"""What is limited in every story."""


async def verdict(host: Host, crew: Crew, numbers: Sequence[int]) -> Verdict:
    """Whether everything held, for runs of these numbers; nobody may be working any more."""
    runs = [await read_contents(host.store, record) async for record in all_runs(host.store)]
    stories = [run for run in runs if run.record.workflow == "story"]
    path = file_of(host.url)
    return {
        "kept": await missing(host.store, read_journals(crew.folder / "journals")),
        "once": [line for run in runs for line in (*_doubled(run), *_obeyed_twice(run))],
        "paid": list(_paid_wrongly(crew.payments, stories)),
        "spent": [line async for line in _spent_wrongly(host.store, crew.calls, stories)],
        "told": [*_told_wrongly(runs), *await _parked(host.store)],
        "ended": [
            *[line async for line in _not_ended(host, [run.record for run in runs], numbers)],
            *await _held(host.store),
        ],
        "log": [
            *await audit(host.store, host.artifacts),
            *[line async for line in _unknown_schemas(host.store, runs)],
        ],
        "waste": [*_ran_twice(crew.folder / "ledgers"), *(line for run in runs for line in _wasted(run))],
        "quiet": list(_complaints(crew)),
        "sound": [] if path is None else file_problems(path),
    }


def _doubled(run: RunContents) -> Iterator[str]:
    accepted = Counter(event.task for event in run.events if event.name.endswith(".complete"))
    before = Counter(
        event.task for event in run.events if event.name.rpartition(".")[2] in HANDED_OVER_BEFORE
    )
    handed_on = Counter(event.task for event in run.events if event.name.endswith(".handed_on"))
    for task in run.tasks:
        name = task_name(task.node, task.item)
        if task.state == "complete" and (task.version, accepted[name]) != (1 + before[name], 1):
            yield f"{name} of run {task.run}: version {task.version}, accepted {accepted[name]} times"
        if handed_on[name] != (1 if task.agent == cashier.name else 0):
            yield f"{name} of run {task.run} was handed on {handed_on[name]} times"


def _obeyed_twice(run: RunContents) -> Iterator[str]:
    """Each pause was told once, and so was its end; what a pause only brings along has no data."""
    told = Counter(
        (event.task, event.name.rpartition(".")[2]) for event in run.events if event.data is not None
    )
    for task in {task for task, kind in told if kind in {"paused", "unpaused"}}:
        times = (told[task, "paused"], told[task, "unpaused"])
        if times != (1, 1):
            yield f"{task or 'all'} of run {run.record.run}: {times[0]} pauses, and {times[1]} ends of them"


def _paid_wrongly(payments: Path, runs: Sequence[RunContents]) -> Iterator[str]:
    """Each run pays for itself and, in the one task that it grew by, for the errand; keys begin with run and task."""
    paid: dict[str, list[str]] = defaultdict(list)
    for key, _ in read_lines(payments):
        run, _, what = key.partition("/")
        paid[run].append(what)
    for contents in runs:
        record = contents.record
        keys = paid[record.run]
        times = [sum(key.startswith(f"{task}/") for key in keys) for task in ("close", ERRAND)]
        if times != [1, 1] or len(keys) != 2:
            yield f"run {record.run} paid {len(keys)} times: {', '.join(keys)}"
        if record.grown != 1:
            yield f"run {record.run} has grown by {record.grown} tasks"


async def _spent_wrongly(store: Store, calls: Path, runs: Sequence[RunContents]) -> AsyncIterator[str]:
    """Each account is within its cap and has nothing reserved; a run has spent at least what its calls took."""
    took: Counter[str] = Counter()
    for run, tokens in read_lines(calls):
        took[run] += tokens
    for contents in runs:
        run = contents.record.run
        accounts = await store.read_spending(run)
        if {(each.account, each.unit) for each in accounts} != ACCOUNTS:
            yield f"run {run} has other accounts: {accounts}"
        for each in accounts:
            if each.spent + each.reserved > each.cap or each.reserved:
                yield f"run {run} has spent {each.spent} and reserved {each.reserved}: {each}"
            if (each.account, each.unit) == (ROOT, "tokens") and each.spent < took[run]:
                yield f"the calls of run {run} took {took[run]} tokens, and {each.spent} are counted"


def _told_wrongly(runs: Sequence[RunContents]) -> Iterator[str]:
    """Each story has one receipt, in a run whose key names the event, and the notes of the clerk and the auditor."""
    keys = Counter(run.record.key for run in runs if run.record.workflow == "receipt.on")
    for run in runs:
        if run.record.workflow != "story":
            continue
        ends = [event.sequence for event in run.events if event.name == "task.close.complete"]
        receipts = [keys.pop(f"on:receipt:{run.record.run}:{sequence}", 0) for sequence in ends]
        notes = sum(event.name == "run.annotated" for event in run.events)
        if (receipts, notes) != ([1], NOTES_PER_RUN):
            yield f"run {run.record.run} has {sum(receipts)} receipts and {notes} notes"
        parked, let_go_on = (sum(event.name == name for event in run.events) for name in (PARKED, LET_GO_ON))
        if parked != let_go_on:
            yield f"run {run.record.run}: the auditor was parked {parked} times and let go on {let_go_on} times"
    yield from (f"run {key} was started for nothing" for key in keys)


async def _parked(store: Store) -> list[str]:
    return [f"{each.name} is parked" for each in await store.read_consumers() if each.parked]


async def _held(store: Store) -> list[str]:
    return [f"places are held or waited for: {each}" for each in await store.read_pools() if any(each[2:])]


async def _unknown_schemas(store: Store, runs: Sequence[RunContents]) -> AsyncIterator[str]:
    """Whoever reads a hand-off must know what it was sent as."""
    sent = {each.record.schema for run in runs for versions in run.handoffs.values() for each in versions}
    for schema in sorted(sent):
        if schema and await store.read_schema(schema) is None:
            yield f"the schema {schema} of a hand-off is not there"


async def _not_ended(host: Host, runs: Sequence[RunRecord], numbers: Sequence[int]) -> AsyncIterator[str]:
    by_key = {record.key: record for record in runs}
    for number in numbers:
        record = by_key.get(f"story-{number}")
        if record is None or record.state != "complete":
            yield f"the run of {number} is {record.state if record is not None else 'not there'}"
            continue
        result = await host.result(record.run, None)
        if result != expected(number):
            yield f"the run of {number} returned {result!r}, not {expected(number)!r}"


def _ran_twice(ledgers: Path) -> Iterator[str]:
    """Each claim runs at most once, in one process."""
    for (run, task, epoch), count in Counter(tuple(line) for line in read_lines(ledgers)).items():
        if count > 1:
            yield f"{task} of run {run} ran {count} times in epoch {epoch}"


def _wasted(run: RunContents) -> Iterator[str]:
    """A task is claimed again only after a claim that was lost, failed or handed back."""
    reasons = Counter(event.task for event in run.events if event.name.rpartition(".")[2] in CLAIMED_AGAIN)
    for task in run.tasks:
        name = task_name(task.node, task.item)
        if task.epoch > 1 + reasons[name]:
            yield f"{name} of run {task.run} was claimed {task.epoch} times, not {1 + reasons[name]}"


def _complaints(crew: Crew) -> Iterator[str]:
    for name, words in crew.said().items():
        for line in words.splitlines():
            if not line.startswith(ALLOWED_WORDS):
                yield f"worker {name}: {line}"
