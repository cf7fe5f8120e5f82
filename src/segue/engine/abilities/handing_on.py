"""Handing a task to another agent: whether that can be, and what the next worker must know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from segue.domain.envelope.body import parts_of
from segue.domain.envelope.hand_to import HandTo, unknown_agent
from segue.domain.envelope.sealing import Sealed
from segue.domain.graph.agent import Agent
from segue.domain.graph.workflow import ConditionFunction
from segue.domain.records import Pools
from segue.domain.running.handing_on import (
    Bounds,
    Stop,
    addressed,
    arguments_of,
    bounds_of,
    check_target,
    digest_of_arguments,
    further,
)
from segue.domain.running.plan import most_needed
from segue.domain.running.pooling import check_capacities
from segue.engine.attempts.attempt import Attempt
from segue.engine.registry import Registry
from segue.errors import PoolTooSmall
from segue.ports.store import Store

Know = Callable[[Iterable[Agent[Any]], Mapping[str, ConditionFunction]], None]


class HandingOn:
    """Holds what an agent hands on to what is known here: the agents of this process, and the path of the task."""

    def __init__(self, store: Store, registry: Registry, know: Know) -> None:
        self._store = store
        self._registry = registry
        self._know = know

    def checked(self, attempt: Attempt, sealed: Sealed, given: HandTo | None) -> Sealed:
        """
        The hand-off as it is stored, with the address of the next agent. `given` is what this process was given, which
        may be an agent that it has not heard of before.

        Raises UnknownAgent, InvalidPayload for what does not fit it, LoopDetected.
        """
        token = attempt.token
        target, stop = self.target(attempt, sealed, given, stands_for=attempt.called_agent)
        way = further(attempt.way, stop, self.bounds(attempt))
        return addressed(sealed, target, token.node, token.item, way)

    def target(
        self, attempt: Attempt, sealed: Sealed, given: HandTo | None, *, stands_for: str | None = None
    ) -> tuple[Agent[Any], Stop]:
        """
        The agent that is meant, and its place on a path. Where it `stands_for` the agent that the graph calls it must
        give the same.

        Raises UnknownAgent, InvalidPayload for what does not fit it.
        """
        if given is not None and isinstance(given.agent, Agent):
            self._know([given.agent, *given.agent.fallbacks], {})
        target, documents = self.agent(target_of(sealed)), arguments_of(sealed)
        other = None if stands_for is None else self._registry.find(stands_for) or attempt.agent
        check_target(target, documents, other, attempt.name)
        return target, Stop(target.name, digest_of_arguments(documents))

    def bounds(self, attempt: Attempt) -> Bounds:
        """How far a task may go: as the agent says that the graph calls, or the run."""
        node = attempt.live.plan.steps[attempt.node].node
        return bounds_of(node.settings, attempt.live.options)

    async def pools_of_successor(self, attempt: Attempt, name: str) -> Pools:
        """
        The places that a claim of the agent takes that goes on with a task. No pool becomes too small for it, or for a
        fallback of it, from now on. Raises PoolTooSmall if one is already.
        """
        agent, token = self.agent(name), attempt.token
        needs = most_needed(token.node, (each.settings for each in (agent, *agent.fallbacks)))
        try:
            if needs:
                await self._store.note_needs(token, needs)
        except PoolTooSmall as short:
            raise PoolTooSmall(short.pool, short.capacity, name, short.places) from None
        return agent.settings.pools

    async def pools(self, name: str) -> Pools:
        """The places that a claim of an agent takes. Raises PoolTooSmall, for its fallbacks too."""
        agent = self.agent(name)
        needs = [need for each in (agent, *agent.fallbacks) for need in each.settings.pools]
        if needs:
            check_capacities(await self._store.read_pools(), name, needs)
        return agent.settings.pools

    def agent(self, name: str) -> Agent[Any]:
        """An agent of this process by its name. Raises UnknownAgent."""
        found = self._registry.find(name)
        if found is None:
            raise unknown_agent(
                name, [each for each in self._registry.names if not each.startswith("segue.")]
            )
        return found


def target_of(sealed: Sealed) -> str:
    """The name of the agent that a task is handed to."""
    name: str = parts_of(sealed)["hand_to"]["agent"]
    return name
