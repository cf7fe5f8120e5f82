"""
What a store has acknowledged, and so must never lose.

A ledger writes down what a store answers, and later asks any store for it: the same one after a crash, one that was
opened on what a power cut left, one that was restored from a backup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from segue.domain.decisions import Append, Control, Decision
from segue.domain.envelope.payload import digest_of
from segue.domain.records import SINGLE, Claim, Settled, Settlement, Submitted, Token, task_name
from segue.domain.rows import StepRecord
from segue.ports.store import Note, Store


class Told(NamedTuple):
    """An event that must be in the log of its run."""

    run: str
    name: str
    task: str | None
    epoch: int | None


class Kept(NamedTuple):
    """A hand-off that must be there, byte for byte."""

    run: str
    node: str
    item: int
    version: int
    digest: str


class Remembered(NamedTuple):
    """A step or effect that must be remembered: as it was written, or as its outcome says since."""

    run: str
    node: str
    item: int
    name: str
    key: str
    state: str
    digest: str | None
    """That of the result."""


class Obeyed(NamedTuple):
    """A command that a run must know to have obeyed."""

    run: str
    command: str
    asked: str


class Begun(NamedTuple):
    """A run that must be there with the input and the graph that it was submitted with."""

    run: str
    graph_digest: str
    input: str


Fact = Told | Kept | Remembered | Obeyed | Begun


class Ledger:
    """Facts in the order in which they were acknowledged. `told` is called with each new one."""

    def __init__(self, told: Callable[[Fact], None] | None = None) -> None:
        self.facts: list[Fact] = []
        self._told = told or self.facts.append

    def watch(self, store: Store) -> Store:
        """The same store, whose answers go into the ledger before they reach whoever called."""
        return cast("Store", _Watched(store, self))

    def submitted(self, runs: Sequence[Any], answers: Sequence[Submitted]) -> None:
        """Runs were accepted."""
        for new, answer in zip(runs, answers, strict=True):
            if answer.created:
                self._told(Begun(new.run, new.graph_digest, new.input))
                self._told(Told(new.run, "run.started", None, None))
            self.claimed(answer.claims)

    def settled(self, settlements: Sequence[Settlement], answers: Sequence[Settled]) -> None:
        """Settlements were accepted, or had been before."""
        for settlement, answer in zip(settlements, answers, strict=True):
            if answer.verdict == "stale":
                continue
            self._told(_event(settlement.token, settlement.agent, settlement.ending))
            record = settlement.handoff
            if record is not None and settlement.ending not in {
                "retry",
                "handed_back",
                "reassigned",
                "unreadable",
                "deadlocked",
            }:
                self._told(Kept(*settlement.token[:3], record.version, record.digest))
            self.claimed(answer.claims)
            if answer.run_state not in {None, "running"}:
                self._told(Told(settlement.token.run, f"run.{answer.run_state}", None, None))

    def claimed(self, claims: Sequence[Claim]) -> None:
        """Claims were granted."""
        for claim in claims:
            self._told(_event(claim.token, claim.agent, "claimed"))

    def noted(self, notes: Sequence[Note], verdicts: Sequence[str]) -> None:
        """Remarks were accepted."""
        for note, verdict in zip(notes, verdicts, strict=True):
            if verdict == "accepted":  # a pin that an earlier attempt took is not told of again
                self._told(_event(note.token, note.agent, note.kind))

    def appended(self, token: Token, append: Append, verdict: str) -> None:
        """A run has grown by a task, which begins with a hand-off."""
        if verdict != "stale":
            first = append.handoff
            self._told(Kept(token.run, append.node, SINGLE, first.version, first.digest))

    def recorded(self, token: Token, steps: Sequence[StepRecord], verdict: str) -> None:
        """Steps and effects were written down."""
        if verdict != "stale":
            for step in steps:
                self._told(_remembered(token.run, token.node, token.item, step))

    def reviewed(self, decision: Decision, verdict: str) -> None:
        """What was decided on a hand-off in review was accepted."""
        record = decision.handoff
        if verdict != "stale" and record is not None:
            self._told(Kept(decision.run, decision.node, decision.item, record.version, record.digest))

    def controlled(self, control: Control, verdict: str) -> None:
        """A run has obeyed, now or before."""
        if verdict != "stale":
            self._told(Obeyed(control.run, control.command, control.asked))


def _event(token: Token, agent: str, kind: str) -> Told:
    return Told(token.run, f"task.{agent}.{kind}", task_name(token.node, token.item), token.epoch)


def _remembered(run: str, node: str, item: int, step: StepRecord) -> Remembered:
    digest = None if step.body is None else digest_of(step.body)
    return Remembered(run, node, item, step.name, step.key, step.state, digest)


class _Watched:
    """A store whose verbs are those of another."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def submit(self, runs: Any, *args: Any) -> Any:
        answers = await self._store.submit(runs, *args)
        self._ledger.submitted(runs, answers)
        return answers

    async def settle(self, settlements: Any, *args: Any, **kwargs: Any) -> Any:
        answers, claims = await self._store.settle(settlements, *args, **kwargs)
        self._ledger.settled(settlements, answers)
        self._ledger.claimed(claims)
        return answers, claims

    async def claim(self, request: Any) -> Any:
        claims = await self._store.claim(request)
        self._ledger.claimed(claims)
        return claims

    async def note(self, notes: Any) -> Any:
        verdicts = await self._store.note(notes)
        self._ledger.noted(notes, verdicts)
        return verdicts

    async def append(self, token: Any, append: Any) -> Any:
        verdict = await self._store.append(token, append)
        self._ledger.appended(token, append, verdict)
        return verdict

    async def record(self, token: Any, steps: Any) -> Any:
        verdict = await self._store.record(token, steps)
        self._ledger.recorded(token, steps, verdict)
        return verdict

    async def review(self, review: Any) -> Any:
        verdict = await self._store.review(review)
        self._ledger.reviewed(review, verdict)
        return verdict

    async def control(self, control: Any) -> Any:
        verdict = await self._store.control(control)
        self._ledger.controlled(control, verdict)
        return verdict


async def missing(store: Store, facts: Sequence[Fact]) -> list[str]:
    """Those of these facts that a store does not have, a line for each; empty if nothing was lost."""
    by_run: dict[str, list[Fact]] = {}
    for fact in facts:
        by_run.setdefault(fact.run, []).append(fact)
    lost: list[str] = []
    for run, wanted in by_run.items():
        events, _ = await store.tail(None, 1_000_000, run)
        log = {Told(event.run, event.name, event.task, event.epoch) for event in events}
        gone = [fact for fact in wanted if not (fact in log or await _is_there(store, fact))]
        lost += [f"acknowledged and lost: {fact}" for fact in gone]
    return lost


async def _is_there(store: Store, fact: Fact) -> bool:
    if isinstance(fact, Told):
        return False
    if isinstance(fact, Remembered):
        steps = await store.read_steps(fact.run, fact.node, fact.item)
        known = [
            _remembered(fact.run, fact.node, fact.item, step) for step in steps if step.name == fact.name
        ]
        # Only what is done is final: an intent has an outcome later, one that was withdrawn may be begun again.
        return known == [fact] or (fact.state != "done" and bool(known))
    if isinstance(fact, Obeyed):
        return await store.read_command(fact.run, fact.command) == fact.asked
    if isinstance(fact, Begun):
        record = await store.read_run(fact.run)
        return record is not None and (record.graph_digest, record.input) == fact[1:]
    found = await store.read_handoffs(fact.run, [(fact.node, fact.item, fact.version)])
    return [digest_of(stored.record.body) for stored in found] == [fact.digest]
