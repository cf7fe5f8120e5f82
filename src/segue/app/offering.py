"""What a process offers to a store: agents whose tasks it takes, conditions, and what it does about events."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from segue.domain.graph.agent import Agent
from segue.domain.graph.watching import Monitor, Subscription
from segue.domain.graph.workflow import Built, ConditionFunction, Workflow
from segue.errors import DefinitionError, UsageError

Watcher = Monitor[Any] | Subscription


class Offer(NamedTuple):
    """Agents, conditions by their names, and monitors and subscriptions, which handle events."""

    agents: tuple[Agent[Any], ...]
    conditions: dict[str, ConditionFunction]
    monitors: tuple[Monitor[Any], ...] = ()
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the agents that run here, in order."""
        return tuple(sorted({agent.name for agent in self.agents if not agent.settings.external}))

    @property
    def consumers(self) -> tuple[str, ...]:
        """The names under which the store keeps how far the monitors and subscriptions have got, in order."""
        return tuple(sorted(each.consumer for each in self.watchers))

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """Monitors and subscriptions."""
        return (*self.monitors, *self.subscriptions)

    def only(self, names: Collection[str]) -> Offer:
        """The same with these agents alone, and what starts them. Raises UsageError for a name that is not there."""
        unknown = sorted(set(names).difference(self.names))
        if unknown:
            raise UsageError(
                f"there is no agent {', '.join(map(repr, unknown))} here",
                remedy=f"There are: {', '.join(self.names)}.",
            )
        chosen = tuple(agent for agent in self.agents if agent.name in names)
        started = tuple(each for each in self.subscriptions if each.target in chosen)
        return Offer(chosen, self.conditions, (), started)


Offering = Agent[Any] | Workflow[..., Any] | Built | ConditionFunction | Monitor[Any] | ModuleType | Offer
"""
An agent, a condition, a monitor, a workflow with all that it uses, or a module with everything of that kind in it. What
`@on` says of an agent or a workflow goes with it.
"""


_OFFERINGS = (Agent, Workflow, Built, ConditionFunction, Monitor, ModuleType, Offer)


def offered(given: Iterable[Offering]) -> tuple[Offering, ...]:
    """What a user gave as `agents`. Raises UsageError for what is none of those, and for one alone."""
    if isinstance(given, _OFFERINGS) or not isinstance(given, Iterable):
        raise UsageError(f"agents={given!r} is no list", remedy="Write agents=[...].")
    offerings = tuple(given)
    for each in offerings:
        if not isinstance(each, _OFFERINGS):
            raise UsageError(
                f"agents has {each!r} in it, which a worker cannot take tasks for",
                remedy="Give agents, workflows, conditions, monitors, or modules that have them.",
            )
    return offerings


def offer_of(each: Offering) -> Offer:
    """What one of these brings. Raises GraphError for a workflow that cannot run."""
    match each:
        case Offer():
            return each
        case Agent():
            return Offer((each,), {}, (), each.subscriptions)
        case Workflow():
            built = each.build()
            return Offer(tuple(built.agents.values()), built.conditions, (), each.subscriptions)
        case Built():
            return Offer(tuple(each.agents.values()), each.conditions)
        case ConditionFunction():
            return Offer((), {each.name: each})
        case Monitor():
            return Offer((), {}, (each,))
        case ModuleType():
            kinds = (Agent, Workflow, Built, ConditionFunction, Monitor)
            return all_of(value for value in vars(each).values() if isinstance(value, kinds))


def agents_beside(built: Built, module: ModuleType) -> Offer:
    """
    The agents of a workflow and those that stand in its module, without other workflows there, which need not be right,
    and without what is done about events.
    """
    beside = [each for each in vars(module).values() if isinstance(each, Agent | ConditionFunction)]
    return all_of([built, *beside])._replace(monitors=(), subscriptions=())


def all_of(offerings: Iterable[Offering]) -> Offer:
    """What all of these bring together. Raises DefinitionError for two that share the name of a consumer."""
    agents: list[Agent[Any]] = []
    conditions: dict[str, ConditionFunction] = {}
    consumers: dict[str, Watcher] = {}
    for each in offerings:
        offer = offer_of(each)
        agents += (agent for agent in offer.agents if agent not in agents)
        conditions |= offer.conditions
        for one in offer.watchers:
            if consumers.setdefault(one.consumer, one) is not one:
                raise DefinitionError(
                    f"there are two of {one.consumer!r}: each must be told of every event",
                    remedy='Give one of them another name: @monitor(..., name="...") or @on(..., name="...").',
                )
    return Offer(
        tuple(agents),
        conditions,
        tuple(each for each in consumers.values() if isinstance(each, Monitor)),
        tuple(each for each in consumers.values() if isinstance(each, Subscription)),
    )
