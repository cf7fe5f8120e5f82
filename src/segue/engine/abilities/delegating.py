"""
`ctx.delegate`: a task asks another agent and waits for its answer, in the middle of its work.

What is delegated becomes a task of its own, appended to the run. A later attempt of the task that delegates finds it
again, by who was asked for what and in which order, and so nobody is asked, or paid, twice. While it waits the task
gives its place away, as for a `Later`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from segue.domain.decisions import Append
from segue.domain.envelope.artifact import artifact_home
from segue.domain.envelope.body import output_json
from segue.domain.envelope.hand_to import HandTo, Target, arguments_given, documents_in, seal_result
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.envelope.sealing import Sealed
from segue.domain.envelope.waiting import Action
from segue.domain.graph.agent import Agent
from segue.domain.graph.graph import Output, node_document
from segue.domain.records import SINGLE, Amounts, HandoffRecord
from segue.domain.rows import GrownRecord
from segue.domain.running.growing import check_depth, child_name, children_of, key_of, step_of
from segue.domain.running.handing_on import Stop, addressed, further, node_for
from segue.domain.running.pins import scope_of
from segue.domain.running.plan import node_needs
from segue.domain.settings.spending import Spending, amounts_in
from segue.errors import StoreError
from segue.ports.artifacts import ArtifactStore
from segue.ports.clock import Clock
from segue.ports.store import Store

if TYPE_CHECKING:
    from segue.engine.abilities.handing_on import HandingOn
    from segue.engine.abilities.later import LaterDesk
    from segue.engine.attempts.attempt import Attempt, Running
    from segue.engine.inputs.binding import Binder
    from segue.engine.inputs.book import Book

_REMEDY = "Catch UpstreamFailed to go on without it; `segue retry` tries both again."


def delegation_of(
    running: Running,
    agent: Target | str,
    arguments: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    budget: Spending | None,
) -> Action[Any]:
    """
    A delegation by a running attempt. Raises InvalidPayload for what is no agent, or cannot cross, and UsageError for
    what is no budget.
    """
    name = agent if isinstance(agent, str) else getattr(agent, "name", repr(agent))
    where = f"{running.facts.task} delegates to {name}"
    whole = HandTo(agent, arguments=arguments_given("ctx.delegate", agent, arguments, given))
    share = None if budget is None else amounts_in(budget)
    sealed = seal_result(whole, schema_of(Any), where=running.facts.task)
    schema: Schema[Any] = agent.output_schema if isinstance(agent, Agent) else schema_of(Any)

    async def answer() -> Any:
        return schema.load(await running.delegate(sealed, whole, share), artifact_home.get(), where=where)

    return Action(where, answer, running.notebook.block)


class Desk(NamedTuple):
    """What all delegations of a worker share."""

    store: Store
    artifacts: ArtifactStore
    book: Book
    binder: Binder
    later: LaterDesk
    handing_on: HandingOn
    clock: Clock
    on_ready: Callable[[], None]
    on_failure: Callable[[BaseException], None]


class Delegating:
    """The delegations of one attempt."""

    def __init__(self, attempt: Attempt, desk: Desk) -> None:
        self._attempt = attempt
        self._desk = desk
        self._asked: Counter[str] = Counter()
        """How often this attempt has asked for each thing."""
        self._known: list[GrownRecord] | None = [] if attempt.token.epoch == 1 else None
        self._appending = asyncio.Lock()

    async def answer(self, sealed: Sealed, given: HandTo | None, share: Amounts | None) -> bytes:
        """
        The JSON that the agent which was asked has handed over; `share` is what it may spend.

        Raises UnknownAgent, InvalidPayload, LoopDetected, SpendingExceeded, UpstreamFailed, StaleEpoch.
        """
        attempt, desk = self._attempt, self._desk
        target, stop = desk.handing_on.target(attempt, sealed, given)
        key = key_of(scope_of(attempt.claim), stop.agent, stop.arguments)
        number = self._asked[key]
        self._asked[key] += 1
        try:
            node = await self._child(key, number, sealed, target, stop, share)
        except StoreError as error:
            desk.on_failure(error)
            raise
        pins = await desk.later.wait_for(attempt, (node,), _REMEDY)
        where = f"the answer of {node} to {attempt.name}"
        schema = target.output_schema
        return await desk.binder.taken(attempt, Output(node), pins, schema, where=where, known=False)

    async def _child(
        self,
        key: str,
        number: int,
        sealed: Sealed,
        target: Agent[Any],
        stop: Stop,
        share: Amounts | None,
    ) -> str:
        """The name of the task that was appended for this, by an earlier attempt or now."""
        attempt = self._attempt
        if attempt.confirmed is not None:
            await asyncio.shield(attempt.confirmed)
        async with self._appending:
            if self._known is None:
                self._known = list(await self._desk.store.read_growth(attempt.run))
            earlier = children_of(attempt.token, self._known, key)
            if number < len(earlier):
                await self._desk.book.knowing(attempt.live, earlier[number].node)
                return earlier[number].node
            grown = await self._append(key, sealed, target, stop, self._known, share)
            self._known.append(grown)
            return grown.node

    async def _append(
        self,
        key: str,
        sealed: Sealed,
        target: Agent[Any],
        stop: Stop,
        known: list[GrownRecord],
        share: Amounts | None,
    ) -> GrownRecord:
        attempt, desk = self._attempt, self._desk
        token = attempt.token
        way = further(attempt.way, stop, desk.handing_on.bounds(attempt))
        check_depth(token, way)
        name = child_name(token, target.name, known)
        sealed = addressed(sealed, target, name, SINGLE, way)
        for spilled in sealed.spilled:
            await desk.artifacts.put(spilled.content)
        node = node_for(target, name, SINGLE, documents_in(output_json(sealed)))
        step = step_of(node, attempt.live.options)
        document = json.dumps(node_document(node), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        now = desk.clock.wall()
        written = (sealed.body, sealed.output_size, sealed.digest, sealed.schema, now, now, sealed.artifacts)
        handoff = HandoffRecord(1, sealed.status, *written)
        await desk.binder.schemas.register(target.schemas, attempt.name)
        pools = await desk.handing_on.pools(target.name)
        await attempt.purse.charge(f"{name}.handoff", (("handoffs", 1),))
        if share is not None:
            await attempt.purse.reserve_as(f"share of {name}", share, name)
        needs = tuple(node_needs(node))
        append = Append(name, target.name, key, document, handoff, step.limits, pools, needs)
        if await desk.store.append(token, append) == "stale":
            raise attempt.stale()
        desk.on_ready()
        grown = GrownRecord(token.run, 0, name, token.node, token.item, key, document)
        attempt.live.append(grown)
        return grown
