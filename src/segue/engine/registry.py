"""Which agents and conditions this process has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segue.domain.envelope.forms import PayloadForm
from segue.domain.envelope.schema import Schema
from segue.domain.envelope.versions import FIRST
from segue.domain.graph.agent import Agent
from segue.domain.graph.workflow import ConditionFunction
from segue.domain.records import Release
from segue.domain.running.plan import MAP_AGENT
from segue.errors import DefinitionError


def _schemas_of(agent: Agent[Any]) -> list[Schema[Any]]:
    """What an agent takes and gives; nothing where that cannot cross, which is said when the agent is called."""
    try:
        schemas = [*agent.input_schemas.values(), agent.output_schema]
        for schema in schemas:
            schema.document  # noqa: B018 - raises where there is none
    except DefinitionError:
        return []
    return schemas


class Registry:
    """
    Agents by name. Two different agents under one name are an error that names both places, and so are two versions of
    one payload.

    `names` are those whose tasks are claimed here: an external agent is known, and run by nobody.
    """

    def __init__(self) -> None:
        self._agents: dict[str, Agent[Any]] = {}
        self._conditions: dict[str, ConditionFunction] = {}
        self.names: tuple[str, ...] = (MAP_AGENT,)
        self._ours = frozenset(self.names)
        self._payloads: dict[str, PayloadForm] = {}
        self.classes: dict[str, type] = {}
        """The classes of the payloads that its agents take and give, by name."""
        self.reads: tuple[str, ...] = ()
        """What this process reads beyond first versions: `Findings@2`."""

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
        for agent in added:
            self._take_payloads(agent)
        self._agents.update({agent.name: agent for agent in added})
        self._conditions.update(conditions)
        if added:
            ours = {name for name, agent in self._agents.items() if not agent.settings.external}
            self.names = (*sorted(ours), MAP_AGENT)
            self._ours = frozenset(self.names)
            later = (each.label for each in self._payloads.values() if each.version != FIRST)
            self.reads = tuple(sorted(later))
        return added

    def _take_payloads(self, agent: Agent[Any]) -> None:
        for schema in _schemas_of(agent):
            for each in schema.form.payloads.values():
                known = self._payloads.setdefault(each.name, each)
                if known.version != each.version:
                    raise DefinitionError(
                        f"agent {agent.name!r} at {agent.place} has {each.label}, and this process has {known.label} "
                        "already",
                        remedy="One process works with one version of a payload: load one version of the code.",
                    )
                self.classes.setdefault(each.name, schema.classes[each.name])

    def __contains__(self, name: str) -> bool:
        return name in self._ours

    def lets_lie(self, release: Release) -> bool:
        """Whether a task that this process could take was released without being claimed for it."""
        return release.claim is None and (release.broken or release.agent in self)

    @property
    def agent_names(self) -> tuple[str, ...]:
        """The names of the agents that this process has."""
        return tuple(sorted(self._agents))

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
