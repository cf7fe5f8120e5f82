"""What the tests of the suite have in hand: a store, a clock, and short ways to say what happens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

from segue.domain.decisions import Control, ControlKind, Redrive, Reset, Target
from segue.domain.records import (
    SINGLE,
    Claim,
    ClaimRequest,
    Ending,
    HandoffRecord,
    Limits,
    NewRun,
    NodeNeed,
    Pin,
    Pools,
    Release,
    Settled,
    Settlement,
    Verdict,
)
from segue.domain.rows import Event, RunRecord, TaskRecord
from segue.ports.store import Store
from segue.testing.clock import ManualClock

WORKER = "worker-a"
OTHER = "worker-b"
LEASE_SECONDS = 30.0
BY_ME = '{"by":"me"}'


def digest_of(body: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def handoff(
    output: str = '"done"', version: int = 1, status: str = "complete", artifacts: tuple[str, ...] = ()
) -> HandoffRecord:
    """A hand-off with an output, given as JSON."""
    body = f'{{"output":{output}}}'.encode()
    return HandoffRecord(
        version=version,
        status=status,
        body=body,
        output_size=len(output.encode()),
        digest=digest_of(body),
        schema=digest_of(b"schema"),
        started_at=1.0,
        completed_at=2.0,
        artifacts=artifacts,
    )


def pin_of(claim: Claim, record: HandoffRecord) -> Pin:
    """The pin of a hand-off that a claim has left."""
    return record.pin(claim.token.node, claim.token.item)


def release(
    node: str,
    *,
    item: int = SINGLE,
    agent: str | None = None,
    need: int = 1,
    resolved: int = 1,
    parents: tuple[str, ...] = (),
    pins: tuple[Pin, ...] | None = (),
    broken: bool = False,
    claim: str | None = None,
    limits: Limits | None = None,
    pools: Pools = (),
) -> Release:
    """What a settlement means for a dependent; by default its only parent is there and it is left to anybody."""
    agent = agent or f"{node}_agent"
    return Release(node, item, agent, need, resolved, parents, pins, broken, claim, None, limits, pools)


def root(node: str, claim: str | None = None, limits: Limits | None = None) -> Release:
    """A task that waits for nothing."""
    return release(node, need=0, resolved=0, claim=claim, limits=limits)


def join(
    node: str, need: int, *, parents: tuple[str, ...], resolved: int = 1, claim: str | None = None
) -> Release:
    """One of several hand-offs that a task waits for is there; the store looks up which."""
    return release(node, need=need, resolved=resolved, parents=parents, pins=None, claim=claim)


def quorum(
    node: str, need: int, spare: int, *, parents: tuple[str, ...], resolved: int = 1, claim: str | None = None
) -> Release:
    """One of the parents of a task has ended that waits for `need` of them and can do without `spare`."""
    return join(node, need, parents=parents, resolved=resolved, claim=claim)._replace(spare=spare)


def request(
    *agents: str,
    claim: str = "request",
    limit: int = 10,
    worker: str = WORKER,
    per_agent: tuple[tuple[str, int], ...] = (),
) -> ClaimRequest:
    """A worker asks for tasks of some agents."""
    return ClaimRequest(worker, claim, limit, agents, per_agent, LEASE_SECONDS)


def settlement(
    claim: Claim,
    record: HandoffRecord | None,
    *releases: Release,
    ending: Ending = "complete",
    run_resolved: int = 0,
    not_before: float = 0.0,
    data: str | None = None,
    speculative: bool = False,
) -> Settlement:
    """The end of an attempt."""
    return Settlement(
        claim.token, claim.agent, ending, record, releases, run_resolved, not_before, data, speculative
    )


class Started(NamedTuple):
    """A run that was submitted, and its claimed roots in the order of their names."""

    run: str
    claims: Sequence[Claim]


class Desk:
    """A store under test. Ids count up, so that a failure reads the same each time."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self._numbers = count(1)

    def id(self, kind: str) -> str:
        """A fresh id that sorts by age."""
        return f"{kind}-{next(self._numbers):06d}"

    def new_run(
        self, *roots: Release, key: str | None = None, waits_for: int = 1, text: str = "{}"
    ) -> NewRun:
        """A run that is not submitted yet."""
        graph = '{"nodes":[]}'
        return NewRun(
            run=self.id("run"),
            key=key,
            workflow="review",
            graph_digest=digest_of(graph.encode()),
            graph=graph,
            schemas=((digest_of(b"schema"), '{"type":"string"}'),),
            input=text,
            options='{"goal":"test"}',
            waits_for=waits_for,
            roots=roots,
            needs=tuple(NodeNeed(root.node, need.pool, need.places) for root in roots for need in root.pools),
        )

    async def start(self, *nodes: str, waits_for: int = 1) -> Started:
        """Submit a run whose roots are claimed at once."""
        new = self.new_run(*(root(node, self.id("claim")) for node in nodes), waits_for=waits_for)
        (submitted,) = await self.store.submit([new], WORKER, LEASE_SECONDS)
        return Started(new.run, sorted(submitted.claims, key=lambda claim: claim.token.node))

    async def settle(self, *settlements: Settlement, worker: str = WORKER) -> Sequence[Settled]:
        """Settle a batch."""
        answers, _ = await self.store.settle(settlements, worker, LEASE_SECONDS)
        return answers

    async def end(self, claim: Claim, *releases: Release, run_resolved: int = 0) -> Settled:
        """Complete one attempt with the next version of its hand-off."""
        record = handoff(f'"{claim.token.node} {claim.token.item}"', claim.version)
        (answer,) = await self.settle(settlement(claim, record, *releases, run_resolved=run_resolved))
        return answer

    async def claim(self, *agents: str, worker: str = WORKER, limit: int = 10) -> Sequence[Claim]:
        """Claim what is ready, under a fresh id."""
        return await self.store.claim(request(*agents, claim=self.id("request"), limit=limit, worker=worker))

    async def control(
        self, run: str, kind: ControlKind, *targets: str | Target, command: str | None = None, **more: Any
    ) -> Verdict:
        """Somebody wants something with a run, or with tasks of it, under a fresh name if none is given."""
        chosen = tuple(each if isinstance(each, Target) else Target(each, SINGLE) for each in targets)
        asked = f"{kind} {[each.node for each in chosen]}"
        wanted = Control(run, kind, command or self.id("command"), asked, BY_ME, chosen, **more)
        return await self.store.control(wanted)

    async def retry(self, run: str, *nodes: str) -> Verdict:
        """Somebody tries tasks of a run again, as they are now."""
        tasks = await self.store.read_tasks(run)
        resets = tuple(
            Reset(task.node, task.item, task.epoch, task.agent, 0) for task in tasks if task.node in nodes
        )
        progress = sum(task.epoch + task.version for task in tasks)
        return await self.control(run, "retry", redrive=Redrive(resets, len(resets), progress))

    async def cancel(self, run: str) -> Verdict:
        """Somebody cancels a run."""
        return await self.control(run, "cancel")

    async def task(self, run: str, node: str, item: int = SINGLE) -> TaskRecord:
        """A task that must be there."""
        (task,) = await self.store.read_tasks(run, [(node, item)])
        return task

    async def run(self, run: str) -> RunRecord:
        """A run that must be there."""
        record = await self.store.read_run(run)
        assert record is not None
        return record

    async def events(self, run: str | None = None) -> list[Event]:
        """All events, or those of a run."""
        events, _ = await self.store.tail(None, 10_000, run)
        return list(events)

    async def names(self, run: str) -> list[str]:
        """The names of a run's events."""
        return [event.name for event in await self.events(run)]
