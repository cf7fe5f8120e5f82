"""
What a binding is put together from: the hand-offs that a claim names, and the content that was spilled out of them.

Once everything is at hand, putting it together needs no waiting. On the hot path everything is: the sender ran in this
process and nothing was spilled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import compress

from pydantic_core import to_json

from segue.domain.envelope.body import spills_of
from segue.domain.envelope.forms import Form
from segue.domain.envelope.sealing import output_at, select, whole_output
from segue.domain.graph.graph import Binding, Collection, Constant, Handed, Output, Path, RunInput, nodes_of
from segue.domain.records import SINGLE, HandoffRecord
from segue.domain.rows import StoredHandoff
from segue.engine.inputs.book import LiveRun
from segue.engine.inputs.reading import Reading


class Materials:
    """The hand-offs of a claim by node, in the order of their items, and spilled content by its digest."""

    __slots__ = (
        "all_as_pinned",
        "by_node",
        "contents",
        "forms",
        "has_artifacts",
        "live",
        "reading",
        "skipped",
    )

    def __init__(self, live: LiveRun, handoffs: Sequence[StoredHandoff]) -> None:
        self.live = live
        self.by_node: dict[str, list[StoredHandoff]] = {}
        self.has_artifacts = False
        self.all_as_pinned = True
        """Whether all was sent by the code that the run was submitted with."""
        steps = live.plan.steps
        for stored in handoffs:
            node, record = stored.node, stored.record
            self.by_node.setdefault(node, []).append(stored)
            if record.artifacts:
                self.has_artifacts = True
            schema = record.schema
            if schema and schema != steps[node].node.output_schema:
                self.all_as_pinned = False
        self.contents: Mapping[str, bytes] = {}
        self.skipped: frozenset[str] = frozenset()
        """Mapped nodes that were skipped; one that left nothing and is not here went over an empty list."""
        self.forms: Mapping[str, Form] | None = None
        """The forms of what was handed over, where that is not all as this process knows it."""
        self.reading: Reading | None = None
        """By which they are brought to the form of one receiver."""

    def read_by(self, reading: Reading | None) -> Materials:
        """The same, for one receiver."""
        if reading is None:
            return self
        other = copy(self)
        other.reading = reading
        return other

    def spilled(self, bindings: Iterable[Binding]) -> list[str]:
        """Digests of the content that these bindings need and the hand-offs do not hold themselves."""
        return [
            spill.digest
            for binding in bindings
            for record, path in self._sources(binding)
            for spill in spills_of(record, path)
        ]

    def empty_maps(self, bindings: Iterable[Binding]) -> list[str]:
        """Mapped nodes behind these bindings that left nothing."""
        steps = self.live.plan.steps
        nodes = dict.fromkeys(node for binding in bindings for node in nodes_of(binding))
        return [
            node for node in nodes if node not in self.by_node and steps[node].node.map_parameter is not None
        ]

    def document(self, binding: Binding) -> bytes:
        """The JSON that a binding stands for. What was not handed over stands as null, or is left out."""
        match binding:
            case Output():
                return self._output(binding)
            case RunInput(name=name, path=path):
                document = self.live.input_json[name]
                document = select(document, path, where=f"input {name!r}") if path else document
                return document if self.reading is None else self.reading.input(name, path, document)
            case Constant(value=value):
                return to_json(value)
            case Handed(path=path):
                return self._output_of(self._handed_on(binding), path)
            case Collection(items=items, keys=keys, sparse=sparse):
                if sparse:
                    there = [self._is_there(each) for each in items]
                    items = tuple(compress(items, there))
                    keys = None if keys is None else tuple(compress(keys, there))
                parts = [self.document(each) for each in items]
                if keys is None:
                    return b"[" + b",".join(parts) + b"]"
                pairs = zip(keys, parts, strict=True)
                return b"{" + b",".join(to_json(key) + b":" + part for key, part in pairs) + b"}"

    def handoffs(self, binding: Binding) -> list[StoredHandoff | None]:
        """The hand-offs behind a binding, None for those that hold no output, unless they are left out."""
        match binding:
            case Output(node=node, sparse=sparse):
                found = self._handoffs_of(node)
            case Collection(sparse=sparse):
                found = [each for node in nodes_of(binding) for each in self._handoffs_of(node)]
            case Handed():
                return [self._handed_on(binding)]
            case _:
                return []
        return [each for each in found if each is not None] if sparse else found

    def _handoffs_of(self, node: str) -> list[StoredHandoff | None]:
        stored = self.by_node.get(node)
        if stored is None:
            return [] if self._is_mapped(node) else [None]
        return [each if each.record.status == "complete" else None for each in stored]

    def _handed_on(self, binding: Handed) -> StoredHandoff:
        """What the agent before has left: the first of the task's own, because the latest word is pinned first."""
        return next(each for each in self.by_node[binding.node] if each.item == binding.item)

    def _is_there(self, binding: Binding) -> bool:
        """Whether something was handed over for a binding; a list of several is always there, if only empty."""
        if not isinstance(binding, Output) or self._is_mapped(binding.node):
            return True
        handoffs: Sequence[StoredHandoff] = self.by_node.get(binding.node, ())
        return bool(handoffs) and handoffs[0].record.status == "complete"

    def _is_mapped(self, node: str) -> bool:
        return self.live.plan.steps[node].node.map_parameter is not None

    def _output(self, binding: Output) -> bytes:
        node, path = binding.node, binding.path
        handoffs: Sequence[StoredHandoff] = self.by_node.get(node, ())
        if not self._is_mapped(node):
            return self._output_of(handoffs[0], path) if self._is_there(binding) else b"null"
        if node in self.skipped or (handoffs and handoffs[0].item == SINGLE):
            return b"[]" if binding.sparse else b"null"
        if binding.intact and any(stored.record.status != "complete" for stored in handoffs):
            return b"null"
        # An item that failed has left a hand-off too, so each stands in its place.
        if path and path[0] in range(len(handoffs)) and handoffs[int(path[0])].record.status != "complete":
            return b"null"
        if self.reading is not None and path and path[0] in range(len(handoffs)) and not binding.sparse:
            return self._output_of(handoffs[int(path[0])], path[1:])
        parts = [
            self._output_of(stored, ()) if stored.record.status == "complete" else b"null"
            for stored in handoffs
            if not binding.sparse or stored.record.status == "complete"
        ]
        document = b"[" + b",".join(parts) + b"]"
        return select(document, path, where=f"the results of {node}") if path else document

    def _output_of(self, stored: StoredHandoff, path: Path) -> bytes:
        if self.reading is not None:
            return self.reading.output(stored, path, self.contents)
        record = stored.record
        return output_at(record, path, self.contents) if path else whole_output(record, self.contents)

    def _sources(self, binding: Binding) -> Iterator[tuple[HandoffRecord, Path]]:
        match binding:
            case Output(node=node, path=path):
                for stored in self.by_node.get(node, ()):
                    # What is brought to another form is brought there whole.
                    whole = self.forms is not None or self._is_mapped(node)
                    yield stored.record, () if whole else path
            case Handed(path=path):
                yield self._handed_on(binding).record, path
            case Collection(items=items):
                for item in items:
                    yield from self._sources(item)
