"""
From pins to arguments: what a task is called with.

Every binding is first put together as JSON from the stored bytes of the hand-offs that the claim names, and then
validated by the
schema of the parameter that receives it. So the check on receipt is the same whether a value comes from memory,
from the store or from an artifact, and no two tasks ever share an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from segue.domain.envelope.body import spills_of
from segue.domain.envelope.handoff import Handoff, Later, Ref
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.envelope.sealing import output_at, refer, unseal, whole_output
from segue.domain.graph.agent import Agent
from segue.domain.graph.graph import Argument, Binding, Constant, Handed, Node, Output, Path, path_of
from segue.domain.records import HANDED_ON, SINGLE, Pin, task_name
from segue.domain.rows import StoredHandoff
from segue.engine.abilities.later import LaterDesk
from segue.engine.attempts.attempt import Attempt
from segue.engine.attempts.causes import Causes
from segue.engine.inputs.book import Book, LiveRun
from segue.engine.inputs.home import Home
from segue.engine.inputs.lineage import Provenance
from segue.engine.inputs.materials import Materials
from segue.engine.inputs.reading import Reading
from segue.engine.inputs.schemas import Schemas
from segue.engine.registry import Registry
from segue.errors import DefinitionError, InvalidPayload, NewerPayload
from segue.ports.store import Store

_PLAIN = schema_of(bool)


NODES_KEPT = 4096
"""Nodes remembered at once with how the code of this process takes their arguments."""


@dataclass(frozen=True, slots=True)
class _Intake:
    """How the code of an agent takes the arguments of a pinned node."""

    node: Node
    agent: Agent[Any]
    taken: tuple[tuple[Argument, Schema[Any]], ...]
    """Each argument, and the schema by which the agent reads it."""
    as_pinned: bool
    """Whether those are just the schemas that the run was submitted with."""


class Binder:
    """Puts the arguments of attempts together."""

    def __init__(self, store: Store, book: Book, registry: Registry, home: Home, later: LaterDesk) -> None:
        self._store = store
        self.causes = Causes(store)
        self._book = book
        self._registry = registry
        self._home = home
        self._later = later
        self.schemas = Schemas(store)
        self._intakes: dict[int, _Intake] = {}

    def arguments_at_hand(self, attempt: Attempt) -> dict[str, Any] | None:
        """The keyword arguments of an attempt whose inputs this process still has in memory, whole; else None."""
        live = attempt.live
        handoffs = self._book.at_hand(live, attempt.claim.pins)
        if handoffs is None or live.plan.mapped:
            return None
        materials, intake = Materials(live, handoffs), self._intake_of(attempt)
        if materials.has_artifacts or not (materials.all_as_pinned and intake.as_pinned):
            return None
        return {
            argument.parameter: self._argument(attempt, argument, schema, materials)
            for argument, schema in intake.taken
        }

    async def arguments(self, attempt: Attempt) -> dict[str, Any]:
        """The keyword arguments of an attempt. Raises InvalidPayload where something does not fit."""
        materials = await self.materials_of(attempt)
        return {
            argument.parameter: self._argument(
                attempt, argument, schema, self.materials_for(attempt, argument, materials)
            )
            for argument, schema in self._intake_of(attempt).taken
        }

    def materials_for(self, attempt: Attempt, argument: Argument, materials: Materials) -> Materials:
        """The materials as an argument gets them: in the form that the agent's code has."""
        if materials.forms is None:
            return materials
        schema = schema_for(agent_of(attempt), argument.parameter)
        where = attempt.name_of(argument.parameter)
        return materials.read_by(self._reading(attempt.live, materials, schema, where))

    def _reading(
        self, live: LiveRun, materials: Materials, schema: Schema[Any], where: str
    ) -> Reading | None:
        if materials.forms is None:
            return None
        return Reading(live, materials.forms, self._registry.classes, schema, where)

    def _intake_of(self, attempt: Attempt) -> _Intake:
        """How the agent takes its arguments; worked out once. Raises DefinitionError."""
        node, agent = attempt.step.node, attempt.agent
        known = self._intakes.get(id(node))
        if known is not None and known.node is node and known.agent is agent:
            return known
        agent = agent_of(attempt)
        taken = tuple((each, schema_for(agent, each.parameter)) for each in node.arguments)
        as_pinned = all(schema.fingerprint == argument.schema for argument, schema in taken)
        if len(self._intakes) >= NODES_KEPT:
            self._intakes.clear()
        intake = self._intakes[id(node)] = _Intake(node, agent, taken, as_pinned)
        return intake

    async def materials_of(self, attempt: Attempt) -> Materials:
        """Everything that the arguments of an attempt are put together from."""
        arguments = attempt.step.node.arguments
        known = self._intake_of(attempt).as_pinned
        return await self._materials(attempt.live, attempt.claim.pins, arguments, known=known)

    def _argument(
        self, attempt: Attempt, argument: Argument, schema: Schema[Any], materials: Materials
    ) -> Any:
        match argument.crossing:
            case "value":
                document = self.value(attempt, argument, materials)
                try:
                    return schema.load(document, self._home)
                except InvalidPayload:  # once more, for an error that names the place
                    reading = materials.reading
                    where = attempt.name_of(argument.parameter) if reading is None else reading.where
                    return schema.load(document, self._home, where=where)
            case "later":
                return self._later_of(attempt, argument, schema)
            case crossing:
                of = self._unsealed if crossing == "handoff" else self._reference
                binding = argument.binding
                handoffs = materials.handoffs(binding)
                if not argument.each:
                    return None if handoffs[0] is None else of(materials, handoffs[0], schema, binding)
                return [None if each is None else of(materials, each, schema, binding) for each in handoffs]

    def value(self, attempt: Attempt, argument: Argument, materials: Materials) -> bytes:
        """The JSON of an argument that crosses as a value, in the form that the agent's code has."""
        item = attempt.item
        if item != SINGLE and argument.parameter == attempt.step.node.map_parameter:
            return self._items(attempt, materials)[item]
        document = materials.document(argument.binding)
        if materials.reading is not None and isinstance(argument.binding, Constant | Handed):
            return materials.reading.written_down(argument.schema, document)
        return document

    async def awaited(self, attempt: Attempt, argument: Argument) -> bytes:
        """The JSON of an argument that its agent awaits, once it is there. Raises as `taken`, and UpstreamFailed."""
        pins = await self._later.pins(attempt, argument)
        schema = schema_for(agent_of(attempt), argument.parameter)
        where, known = attempt.name_of(argument.parameter), schema.fingerprint == argument.schema
        return await self.taken(attempt, argument.binding, pins, schema, where=where, known=known)

    async def taken(
        self,
        attempt: Attempt,
        binding: Binding,
        pins: Sequence[Pin],
        schema: Schema[Any],
        *,
        where: str,
        known: bool,
    ) -> bytes:
        """
        The JSON of what a running agent has waited for, as `document`. Raises SchemaDrift, and NewerPayload, with which
        the attempt ends whatever the agent makes of it.
        """
        try:
            return await self.document(attempt.live, binding, pins, schema, where=where, known=known)
        except NewerPayload as error:
            attempt.unreadable = error
            raise

    async def output(self, stored: StoredHandoff, path: Path, reading: Reading | None) -> bytes:
        """The JSON of a stored hand-off's output, or of one field of it, in the form that a receiver has."""
        whole = () if reading is not None else path
        contents = await self._home.contents([spill.digest for spill in spills_of(stored.record, whole)])
        if reading is not None:
            return reading.output(stored, path, contents)
        if path:
            return output_at(stored.record, path, contents)
        return whole_output(stored.record, contents)

    def provenance(self, live: LiveRun, stored: StoredHandoff) -> Provenance:
        """Where a stored hand-off comes from."""
        return Provenance(self._store, self._home, live, stored)

    async def document(
        self,
        live: LiveRun,
        binding: Binding,
        pins: Sequence[Pin],
        schema: Schema[Any],
        *,
        where: str,
        known: bool = True,
    ) -> bytes:
        """
        The JSON that a binding stands for, in the form that a receiver has; `known` says that the run has pinned it.
        Raises NewerPayload and SchemaDrift.
        """
        materials = await self._materials(live, pins, [Argument("", binding)], known=known)
        return materials.read_by(self._reading(live, materials, schema, where)).document(binding)

    async def _materials(
        self, live: LiveRun, pins: Sequence[Pin], arguments: Sequence[Argument], *, known: bool
    ) -> Materials:
        """Everything that these arguments need at once: from memory where it is there, else read."""
        handoffs = self._book.at_hand(live, pins)
        materials = Materials(live, await self._book.read(live, pins) if handoffs is None else handoffs)
        if not (known and materials.all_as_pinned):
            graph = live.plan.graph
            fingerprints = {stored.record.schema for each in materials.by_node.values() for stored in each}
            fingerprints |= {live.plan.steps[name].node.output_schema for name in materials.by_node}
            fingerprints |= {each.schema for each in graph.inputs} | {each.schema for each in arguments}
            materials.forms = await self.schemas.forms(fingerprints)
        if materials.has_artifacts:
            whole = [each.binding for each in arguments if each.crossing in ("value", "handoff")]
            materials.contents = await self._home.contents(materials.spilled(whole))
        empty = materials.empty_maps([each.binding for each in arguments]) if live.plan.mapped else ()
        if empty:
            tasks = await self._store.read_tasks(live.run, [(node, SINGLE) for node in empty])
            materials.skipped = frozenset(task.node for task in tasks if task.state != "expanded")
        return materials

    async def map_size(self, attempt: Attempt) -> int:
        """How many elements the list of a mapped node has."""
        argument = _mapped_argument(attempt)
        materials = await self._materials(attempt.live, attempt.claim.pins, [argument], known=True)
        return len(self._items(attempt, materials))

    def _items(self, attempt: Attempt, materials: Materials) -> list[bytes]:
        """The elements of the list that a mapped node goes over, each as JSON; taken apart once per run."""
        node = attempt.step.node
        # What was brought to the form of an agent's code is not what other agents would get.
        of = node.name if materials.reading is None else f"{node.name} for {attempt.claim.agent}"
        items = attempt.live.items.get(of)
        if items is None:
            argument = _mapped_argument(attempt)
            elements = from_json(materials.document(argument.binding))
            if not isinstance(elements, list):
                raise InvalidPayload(
                    f"{node.name} maps over {argument.parameter!r}, which is no list but {type(elements).__name__}",
                    remedy="Hand over a list there.",
                )
            items = attempt.live.items[of] = [to_json(element) for element in elements]
        return items

    async def condition_holds(self, attempt: Attempt) -> bool:
        """Whether the task's condition lets it run."""
        condition = attempt.step.node.condition
        if condition is None:
            return True
        where, live, pins = f"the condition of {attempt.name}", attempt.live, attempt.claim.pins
        if condition.function is None:
            return bool(from_json(await self.document(live, condition.binding, pins, _PLAIN, where=where)))
        function = self._registry.condition(condition.function)
        schema = schema_of(function.annotation)
        document = await self.document(live, condition.binding, pins, schema, where=where, known=False)
        return function.decide(document, where=where, home=self._home)

    async def allow_to_send(self, attempt: Attempt) -> None:
        """Let an agent send another type than the run has pinned, as far as versions allow it. Raises SchemaDrift."""
        pinned, agent = attempt.output_schema or "", agent_of(attempt)
        await self.schemas.allow(agent.output_schema, pinned, attempt.name)

    async def handoff(self, live: LiveRun, stored: StoredHandoff, schema: Schema[Any]) -> Handoff[Any]:
        """The whole envelope of a stored hand-off."""
        materials = Materials(live, [stored])
        whole = Output(stored.node)
        materials.contents = await self._home.contents(materials.spilled([whole]))
        return self._unsealed(materials, stored, schema, whole)

    def _unsealed(
        self, materials: Materials, stored: StoredHandoff, schema: Schema[Any], binding: Binding
    ) -> Handoff[Any]:
        """A `Handoff[T]`: all of it, and of what was handed on the argument that it is for."""
        source = self.provenance(materials.live, stored)
        contents, home = materials.contents, self._home
        within = path_of(binding) if stored.record.status == HANDED_ON else ()
        if materials.reading is not None:
            stored = materials.reading.written_anew(stored, contents)
        return unseal(stored, schema, source.origin, contents, home, upstream=source.upstream, path=within)

    def _reference(
        self, materials: Materials, stored: StoredHandoff, schema: Schema[Any], binding: Binding
    ) -> Ref[Any]:
        """A `Ref[T]`: nothing of the output is read before it is fetched, but it can be read here."""
        reading, path = materials.reading, path_of(binding)
        if reading is not None:
            reading.check(stored, path)

        async def fetch() -> Any:
            document = await self.output(stored, path, reading)
            return schema.load(document, self._home, where=handoff_of(stored))

        return refer(stored, self.provenance(materials.live, stored).origin, self._home.waitable(fetch))

    def _later_of(self, attempt: Attempt, argument: Argument, schema: Schema[Any]) -> Later[Any]:
        async def settle() -> Any:
            document = await self.awaited(attempt, argument)
            return schema.load(document, self._home, where=attempt.name_of(argument.parameter))

        return Later(settle, self._home.block)


def agent_of(attempt: Attempt) -> Agent[Any]:
    """The agent of an attempt. Raises DefinitionError if this process does not have it."""
    if attempt.agent is None:
        raise DefinitionError(
            f"agent {attempt.claim.agent!r} is not known in this process",
            remedy="Start the worker with the module that defines it.",
        )
    return attempt.agent


def handoff_of(stored: StoredHandoff) -> str:
    """How errors name a received hand-off."""
    return f"the hand-off of {task_name(stored.node, stored.item)}"


def schema_for(agent: Agent[Any], parameter: str) -> Schema[Any]:
    """The schema of a parameter. Raises DefinitionError for one that the agent does not have (any more)."""
    schema = agent.input_schemas.get(parameter)
    if schema is None:
        raise DefinitionError(
            f"this run hands {parameter!r} to agent {agent.name!r}, and the one at {agent.place} does not take it",
            remedy="Go on with the agents that the run was submitted with, or submit it anew.",
        )
    return schema


def _mapped_argument(attempt: Attempt) -> Argument:
    node = attempt.step.node
    return next(each for each in node.arguments if each.parameter == node.map_parameter)
