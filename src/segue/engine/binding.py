"""
From pins to arguments: what a task is called with.

Every binding is first put together as JSON from the stored bytes of the hand-offs that the claim names, and then
validated by the
schema of the parameter that receives it. So the check on receipt is the same whether a value comes from memory,
from the store or from an artifact, and no two tasks ever share an object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from segue.domain.agent import Agent
from segue.domain.body import spills_of
from segue.domain.graph import Argument, Binding, Collection, Constant, Output, RunInput, nodes_of
from segue.domain.handoff import Handoff, Later
from segue.domain.records import SINGLE, HandoffRecord, Pin, StoredHandoff, task_name
from segue.domain.schema import Schema
from segue.domain.sealing import output_at, refer, select, unseal, whole_output
from segue.engine.attempt import Attempt
from segue.engine.book import Book, LiveRun
from segue.engine.home import Home
from segue.engine.later import LaterDesk
from segue.engine.lineage import Lineage
from segue.engine.registry import Registry
from segue.errors import DefinitionError, InvalidPayload
from segue.ports.store import Store

Pins = Mapping[str, Sequence[Pin]]
"""The pinned hand-offs by node, in the order of their items."""


class Binder:
    """Puts the arguments of attempts together."""

    def __init__(self, store: Store, book: Book, registry: Registry, home: Home, later: LaterDesk) -> None:
        self._store = store
        self._book = book
        self._registry = registry
        self._home = home
        self._later = later
        self._lineage = Lineage(store, home)

    async def arguments(self, attempt: Attempt) -> dict[str, Any]:
        """The keyword arguments of an attempt. Raises InvalidPayload where something does not fit."""
        pins = _by_node(attempt.claim.pins)
        agent = attempt.agent
        if agent is None:
            raise DefinitionError(
                f"agent {attempt.step.node.agent!r} is not known in this process",
                remedy="Start the worker with the module that defines it.",
            )
        arguments = {}
        for argument in attempt.step.node.arguments:
            arguments[argument.parameter] = await self._argument(attempt, agent, argument, pins)
        return arguments

    async def _argument(self, attempt: Attempt, agent: Agent[Any], argument: Argument, pins: Pins) -> Any:
        schema = agent.input_schemas[argument.parameter]
        if argument.crossing == "later":
            return self._later_of(attempt, argument, schema)
        item = attempt.claim.token.item
        if item != SINGLE and argument.parameter == attempt.step.node.map_parameter:
            document = (await self.map_items(attempt))[item]
            return schema.load(document, self._home, where=_where(attempt, argument))
        if argument.crossing == "value":
            document = await self.document(attempt.live, argument.binding, attempt.claim.pins, pins)
            return schema.load(document, self._home, where=_where(attempt, argument))
        return await self._envelopes(attempt, argument, schema, pins)

    async def document(
        self, live: LiveRun, binding: Binding, pins: Sequence[Pin], by_node: Pins | None = None
    ) -> bytes:
        """The JSON that a binding stands for. What was skipped or failed stands as null."""
        by_node = _by_node(pins) if by_node is None else by_node
        match binding:
            case Output(node=node, path=path):
                return await self._output(live, node, path, by_node)
            case RunInput(name=name, path=path):
                document = live.input_json[name]
                return select(document, path, where=f"input {name!r}") if path else document
            case Constant(value=value):
                return json.dumps(value, ensure_ascii=False).encode()
            case Collection(items=items, keys=keys):
                parts = [await self.document(live, each, pins, by_node) for each in items]
                if keys is None:
                    return b"[" + b",".join(parts) + b"]"
                pairs = zip(keys, parts, strict=True)
                return b"{" + b",".join(json.dumps(key).encode() + b":" + part for key, part in pairs) + b"}"

    async def _output(self, live: LiveRun, node: str, path: tuple[str | int, ...], pins: Pins) -> bytes:
        handoffs = await self._book.handoffs(live, pins.get(node, ()))
        if live.plan.steps[node].node.map_parameter is None:
            if not handoffs or handoffs[0].record.status != "complete":
                return b"null"
            return await self._output_of(handoffs[0].record, path)
        by_item = {stored.item: stored.record for stored in handoffs}
        parts = []
        for item in range(max(by_item, default=-1) + 1):
            record = by_item.get(item)
            usable = record is not None and record.status == "complete"
            parts.append(await self._output_of(record, ()) if usable and record is not None else b"null")
        document = b"[" + b",".join(parts) + b"]"
        return select(document, path, where=f"the results of {node}") if path else document

    async def _output_of(self, record: HandoffRecord, path: tuple[str | int, ...]) -> bytes:
        contents = await self._contents(record, path)
        return output_at(record, path, contents) if path else whole_output(record, contents)

    async def _contents(self, record: HandoffRecord, path: tuple[str | int, ...] = ()) -> dict[str, bytes]:
        """What was spilled of an output, or of one field of it."""
        if not record.artifacts:
            return {}
        return await self._home.contents([spill.digest for spill in spills_of(record, path)])

    async def map_items(self, attempt: Attempt) -> list[bytes]:
        """The elements of the list that a mapped node goes over, each as JSON; put together once per run."""
        node = attempt.step.node
        known = attempt.live.items.get(node.name)
        if known is not None:
            return known
        argument = next(each for each in node.arguments if each.parameter == node.map_parameter)
        elements = from_json(await self.document(attempt.live, argument.binding, attempt.claim.pins))
        if not isinstance(elements, list):
            raise InvalidPayload(
                f"{node.name} maps over {argument.parameter!r}, which is no list but {type(elements).__name__}",
                remedy="Hand over a list there.",
            )
        items = attempt.live.items[node.name] = [to_json(element) for element in elements]
        return items

    async def condition_holds(self, attempt: Attempt) -> bool:
        """Whether the task's condition lets it run."""
        condition = attempt.step.node.condition
        if condition is None:
            return True
        document = await self.document(attempt.live, condition.binding, attempt.claim.pins)
        if condition.function is None:
            return bool(from_json(document))
        function = self._registry.condition(condition.function)
        where = f"the condition of {attempt.name}"
        return bool(function.decide(document, where=where, home=self._home))

    async def cause_of_skip(self, attempt: Attempt) -> dict[str, Any]:
        """Which upstream task has nothing to hand over."""
        tasks = await self._store.read_tasks(attempt.claim.token.run)
        for task in tasks:
            if task.node in attempt.step.needed and task.state in ("failed", "skipped"):
                name = task_name(task.node, task.item)
                told = json.loads(task.error) if task.error else {}
                ending = "failed" if task.state == "failed" else "was skipped"
                message = f"{name} {ending}: {told.get('message', 'no reason was recorded')}"
                return {"kind": "upstream", "message": message, "upstream": name}
        return {"kind": "upstream", "message": "an upstream task has nothing to hand over"}

    async def handoff(self, live: LiveRun, stored: StoredHandoff, schema: Schema[Any]) -> Handoff[Any]:
        """The whole envelope of a stored hand-off."""
        return unseal(
            stored,
            schema,
            lambda: self._lineage.origin(live, stored.node, stored.item),
            await self._contents(stored.record),
            self._home,
            upstream=self._lineage.upstream(live, stored),
            where=f"the hand-off of {task_name(stored.node, stored.item)}",
        )

    async def _envelopes(self, attempt: Attempt, argument: Argument, schema: Schema[Any], pins: Pins) -> Any:
        """`Handoff[T]` and `Ref[T]`, alone or one for each element of a list."""
        wanted = [pin for node in nodes_of(argument.binding) for pin in pins.get(node, ())]
        envelopes = [
            await self._envelope(attempt.live, argument, schema, stored)
            for stored in await self._book.handoffs(attempt.live, wanted)
            if stored.record.status == "complete"
        ]
        if argument.each:
            return envelopes
        return envelopes[0] if envelopes else None

    async def _envelope(
        self, live: LiveRun, argument: Argument, schema: Schema[Any], stored: StoredHandoff
    ) -> Any:
        node, item = stored.node, stored.item
        if argument.crossing == "handoff":
            return await self.handoff(live, stored, schema)
        path = argument.binding.path if isinstance(argument.binding, Output) else ()

        async def fetch() -> Any:
            document = await self._output_of(stored.record, path)
            return schema.load(
                document, self._home, where=f"the hand-off of {task_name(node, item)}"
            )

        return refer(stored, lambda: self._lineage.origin(live, node, item), self._home.waitable(fetch))

    def _later_of(self, attempt: Attempt, argument: Argument, schema: Schema[Any]) -> Later[Any]:
        async def settle() -> Any:
            pins = await self._later.pins(attempt, argument)
            document = await self.document(attempt.live, argument.binding, pins)
            return schema.load(document, self._home, where=_where(attempt, argument))

        return Later(settle, self._home.block)


def _by_node(pins: Sequence[Pin]) -> Pins:
    by_node: dict[str, list[Pin]] = {}
    for pin in pins:
        by_node.setdefault(pin.node, []).append(pin)
    return by_node


def _where(attempt: Attempt, argument: Argument) -> str:
    return f"{argument.parameter!r} of {attempt.name}"
