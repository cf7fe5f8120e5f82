"""Handing over for tasks that no worker runs: a person's program, a service, a loop that was there before Segue."""

from __future__ import annotations

from collections.abc import Callable
from secrets import SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple

from uuid_utils.compat import uuid7

from segue.domain.envelope.sealing import Sealed, seal
from segue.domain.graph.graph import Node
from segue.domain.records import SINGLE, Claim, ClaimRequest, HandoffRecord, Settlement, parse_task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.answering import Failed
from segue.domain.running.external import finding_on, kept_from
from segue.domain.running.handing_on import step_handed_on
from segue.domain.running.outcome import Complete, Outcome, handed_back, settlement_of
from segue.domain.running.pins import pin_handed_on
from segue.domain.running.plan import Step
from segue.engine.attempts.runner import failure_told_by
from segue.engine.patience import PATIENCE_SECONDS, patient
from segue.errors import UnknownRun, UsageError

if TYPE_CHECKING:
    from segue.app.host import Host
    from segue.engine.inputs.book import LiveRun

RENEWALS_PER_LEASE = 3
"""How often a claim that is kept is renewed within its lease."""

Record = Callable[[int], HandoffRecord]
"""Makes the hand-off of a version."""


class Place(NamedTuple):
    """
    An external task: its run, where it stands there, and the agent that it is with, which is not the one that the graph
    calls where it was handed on, given to another or left to a fallback: then `step` says how that one is called.
    """

    live: LiveRun
    node: Node
    item: int
    task: str
    step: Step
    agent: str


class External:
    """Claims external tasks for this process, and settles them."""

    def __init__(self, host: Host, lease_seconds: float) -> None:
        self._host = host
        # A claim whose answer was lost is asked for again as it was, and found.
        self._store = patient(host.store, host.clock, SystemRandom(), PATIENCE_SECONDS)
        self._lease_seconds = lease_seconds

    async def place_of(self, run: str, task: str) -> Place:
        """An external task by its name. Raises UnknownRun, and UsageError for a task that workers run."""
        try:
            node, item = parse_task_name(task)
        except ValueError as error:
            raise UsageError(str(error), remedy="Tasks are called `name` or `name[3]`.") from None
        await self._host.read_run(run)
        book = self._host.engine.book
        live = await book.load(run)
        if node not in live.plan.steps:
            await book.grow(live)  # another process may have let it grow
        if node not in live.plan.steps:
            raise UnknownRun(
                f"run {run} has no task {task!r}", run=run, remedy=f"It has: {', '.join(live.plan.steps)}."
            )
        step = live.plan.steps[node]
        place = Place(live, step.node, item, task, step, step.node.agent)
        is_list = step.node.map_parameter is not None and item == SINGLE
        if not step.node.settings.external and not is_list:
            place = await self._as_it_is_now(place)
        if is_list or not self._is_external(place):
            raise UsageError(
                f"{task} of run {run} is run by workers, so nobody hands over for it",
                remedy="Declare its agent with @agent(external=True).",
            )
        return place

    async def _as_it_is_now(self, place: Place) -> Place:
        """The agent that a task is with, and how it is called."""
        row = await self.row_of(place)
        if row is None:
            return place
        pin, step = pin_handed_on(row.pins), place.step
        if pin is not None:
            stored = await self._host.engine.book.handed_on(place.live, pin)
            step = step_handed_on(step, stored.record, place.live.options)
        return place._replace(step=step, agent=row.agent)

    def _is_external(self, place: Place) -> bool:
        pinned = place.step.terms.get(place.agent)
        if pinned is not None:
            return pinned.settings.external
        agent = self._host.engine.registry.find(place.agent)
        return agent is not None and agent.settings.external

    async def write(self, place: Place, digest: str, record: Record) -> None:
        """
        Hand over for a task whose turn it is. What was written before stays: the same again is harmless.

        Raises AlreadyWritten, NotReady, and TaskTaken if somebody keeps it for longer than a lease.
        """
        held: tuple[int, float] | None = None
        while True:
            seen, now = self._store.notifier.count, self._host.clock.boot()
            claim = await self.claim(place)
            if claim is not None:
                if await self.settle(place, claim, record(claim.version)):
                    return
                continue
            row = await self.row_of(place)
            written = await self._written(place) if row is not None and row.version else None
            needs = tuple(place.live.plan.steps[place.node.name].parents)
            waited = finding_on(place.live.run, place.task, row, written, digest, needs)
            if waited is None:
                return
            if held is None or held[0] != waited.epoch:
                held = (waited.epoch, now)
            elif now - held[1] > self._lease_seconds:
                raise kept_from(waited)
            await self._store.notifier.wait(seen, self._lease_seconds / RENEWALS_PER_LEASE)
            await self._store.expire()

    async def row_of(self, place: Place) -> TaskRecord | None:
        """The task as it stands; None if nothing has released it yet."""
        rows = await self._store.read_tasks(place.live.run, [(place.node.name, place.item)])
        return rows[0] if rows else None

    async def claim(self, place: Place) -> Claim | None:
        """Take a task whose turn it is, and that nobody has."""
        request = ClaimRequest(
            worker=self._host.engine.worker,
            claim=uuid7().hex,
            limit=1,
            agents=(),
            per_agent=(),
            lease_seconds=self._lease_seconds,
            tasks=((place.live.run, place.node.name, place.item),),
        )
        claims = await self._store.claim(request)
        return claims[0] if claims else None

    async def settle(self, place: Place, claim: Claim, record: HandoffRecord) -> bool:
        """Hand over for a claimed task; False if somebody else has it by now."""
        outcome: Outcome = Complete(record)
        if record.status == "failed":
            outcome = Failed(failure_told_by(record), record, "another")
        plan = place.live.plan
        return await self._end(
            settlement_of(claim, plan, place.step, outcome, lambda agent: None, 0.0, False)
        )

    async def give_back(self, claim: Claim) -> None:
        """Leave a claimed task to others."""
        await self._end(handed_back(claim))

    async def keep(self, claim: Claim) -> None:
        """Keep a claimed task until cancelled, or until somebody else has it."""
        while True:
            await self._host.clock.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            (kept,) = await self._store.renew([claim.token], self._lease_seconds)
            if not kept:
                return

    async def _end(self, settlement: Settlement) -> bool:
        host = self._host
        (settled,), _ = await self._store.settle([settlement], host.engine.worker, self._lease_seconds)
        if settled.verdict == "stale":
            return False
        host.settled(settlement.token.run, settled.run_state)
        return True

    async def _written(self, place: Place) -> str | None:
        """The digest of what stands there."""
        stored = await self._store.latest_handoffs(place.live.run, [place.node.name])
        return next((each.record.digest for each in stored if each.item == place.item), None)


async def seal_result(host: Host, place: Place, result: Any) -> Sealed:
    """
    A result as a hand-off of a task, with what it spills put away.

    Raises UsageError if this process does not know the agent, and PayloadError for what does not fit.
    """
    agent = host.engine.registry.find(place.agent)
    if agent is None:
        raise UsageError(
            f"the agent {place.agent!r} of {place.task} is not known in this process",
            remedy="Open Segue with the module that declares it: Segue(..., agents=[module]).",
        )
    sealed = seal(
        result,
        agent.output_schema,
        where=place.task,
        decisions_required=place.step.node.settings.decisions_required,
        agent=place.agent if place.agent != place.node.agent else None,
    )
    for spilled in sealed.spilled:
        await host.artifacts.put(spilled.content)
    return sealed


def record_of(host: Host, sealed: Sealed) -> Record:
    """What is stored of a result, as the version that it becomes."""
    now = host.clock.wall()
    written = (sealed.body, sealed.output_size, sealed.digest, sealed.schema)
    return lambda version: HandoffRecord(version, sealed.status, *written, now, now, sealed.artifacts)
