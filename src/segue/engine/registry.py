"""Which agents and conditions this process has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segue.domain.graph.agent import Agent
from segue.domain.graph.workflow import ConditionFunction
from segue.domain.records import Release
from segue.domain.running.plan import MAP_AGENT
from segue.errors import DefinitionError


class Registry:
    """
    Agents by name. Two different agents under one name are an error that names both places.

    `names` are those whose tasks are claimed here: an external agent is known, and run by nobody.
    """

    def __init__(self) -> None:
        self._agents: dict[str, Agent[Any]] = {}
        self._conditions: dict[str, ConditionFunction] = {}
        self.names: tuple[str, ...] = (MAP_AGENT,)

    def add(
        self, agents: Iterable[Agent[Any]], conditions: Mapping[str, ConditionFunction]
    ) -> list[Agent[Any]]:
        """Make agents known; those that were not known before are returned."""
        added = [agent for agent in agents if self._agents.get(agent.name) is not agent]
        for agent in added:
            known = self._agents.get(agent.name)
            if known is not None and known.fn != agent.fn:
                raise DefinitionError(
                    f"two agents are called {agent.name!r}: at {known.place} and at {agent.place}",
                    remedy='Give one of them another name: @agent(name="...").',
                )
        self._agents.update({agent.name: agent for agent in added})
        self._conditions.update(conditions)
        if added:
            ours = (name for name, agent in self._agents.items() if not agent.settings.external)
            self.names = (*sorted(ours), MAP_AGENT)
        return added

    def __contains__(self, name: str) -> bool:
        agent = self._agents.get(name)
        return name == MAP_AGENT or (agent is not None and not agent.settings.external)

    def lets_lie(self, release: Release) -> bool:
        """Whether a task that this process could take was released without being claimed for it."""
        return release.claim is None and (release.broken or release.agent in self)

    def find(self, name: str) -> Agent[Any] | None:
        """An agent by its name; None if this process does not have it."""
        return self._agents.get(name)

    def condition(self, name: str) -> ConditionFunction:
        """A condition by its name. Raises DefinitionError if this process does not have it."""
        try:
            return self._conditions[name]
        except KeyError:
            raise DefinitionError(
                f"the condition {name!r} is not known in this process",
                remedy="Start the worker with the module that defines the workflow.",
            ) from None
