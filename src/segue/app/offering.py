"""What a process offers to a store: the agents whose tasks it takes, and the conditions that it can decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from segue.domain.graph.agent import Agent
from segue.domain.graph.workflow import Built, ConditionFunction, Workflow
from segue.errors import UsageError


class Offer(NamedTuple):
    """Agents, and conditions by their names."""

    agents: tuple[Agent[Any], ...]
    conditions: dict[str, ConditionFunction]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the agents, in order."""
        return tuple(sorted({agent.name for agent in self.agents}))

    def only(self, names: Collection[str]) -> Offer:
        """The same with these agents alone. Raises UsageError for a name that none of them has."""
        unknown = sorted(set(names).difference(self.names))
        if unknown:
            raise UsageError(
                f"there is no agent {', '.join(map(repr, unknown))} here",
                remedy=f"There are: {', '.join(self.names)}.",
            )
        chosen = tuple(agent for agent in self.agents if agent.name in names)
        return Offer(chosen, self.conditions)


Offering = Agent[Any] | Workflow[..., Any] | Built | ConditionFunction | ModuleType | Offer
"""An agent, a condition, a workflow with all that it uses, or a module with everything of that kind in it."""


def offer_of(each: Offering) -> Offer:
    """What one of these brings. Raises GraphError for a workflow that cannot run."""
    match each:
        case Offer():
            return each
        case Agent():
            return Offer((each,), {})
        case Workflow() | Built():
            built = each.build()
            return Offer(tuple(built.agents.values()), built.conditions)
        case ConditionFunction():
            return Offer((), {each.name: each})
        case ModuleType():
            kinds = (Agent, Workflow, Built, ConditionFunction)
            return all_of(value for value in vars(each).values() if isinstance(value, kinds))


def all_of(offerings: Iterable[Offering]) -> Offer:
    """What all of these bring together."""
    agents: list[Agent[Any]] = []
    conditions: dict[str, ConditionFunction] = {}
    for each in offerings:
        offer = offer_of(each)
        agents += (agent for agent in offer.agents if agent not in agents)
        conditions |= offer.conditions
    return Offer(tuple(agents), conditions)
