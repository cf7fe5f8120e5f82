"""From a draft without mistakes to the graph: constants become JSON, paths those of the JSON, types fingerprints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from segue.domain.envelope.forms import PayloadForm
from segue.domain.envelope.payload import canonical_json
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.envelope.upcasting import payloads_together
from segue.domain.graph.building import BROKEN, Call, Draft, keyed
from segue.domain.graph.fields import accepts_none, element_of, list_of
from segue.domain.graph.graph import (
    Argument,
    Binding,
    Collection,
    Condition,
    Constant,
    Fallback,
    Graph,
    GraphInput,
    Node,
    Output,
    RunInput,
)
from segue.domain.graph.proceeding import awaited_list, is_map_of_one, proceeds, sparse
from segue.domain.graph.signature import Parameter
from segue.errors import DefinitionError, PayloadError


class Assembling:
    """Makes the graph of one draft. What goes wrong is added to the draft's problems."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.schemas: dict[str, str] = {}
        self._crossing: dict[str, Schema[Any]] = {}
        """What crosses and has payloads in it, by fingerprint."""

    def payloads(self) -> tuple[PayloadForm, ...]:
        """The payloads of everything that crosses, each once."""
        try:
            return tuple(payloads_together(self._crossing.values()).values())
        except DefinitionError as error:
            self._draft.problems.append(f"{error.message}. {error.remedy}")
            return ()

    def graph(self) -> Graph:
        """The graph; not to be used if the draft has problems afterwards."""
        draft = self._draft
        output = draft.output
        return Graph(
            workflow=draft.workflow,
            version=draft.version,
            inputs=tuple(self._input(parameter) for parameter in draft.inputs),
            nodes=tuple(self._node(call) for call in draft.calls.values()),
            output=None
            if output is None
            else self._binding(output, draft.output_annotation, "the output", ""),
        )

    def _input(self, parameter: Parameter) -> GraphInput:
        where = f"the input {parameter.name!r}"
        default = None
        if not parameter.required:
            default = self._constant(
                parameter.default, parameter.annotation, f"the default of {where}", ""
            ).value
        return GraphInput(
            parameter.name, self._schema(parameter.annotation, where), parameter.required, default
        )

    def _node(self, call: Call) -> Node:
        signature = call.agent.signature
        condition = call.condition
        return Node(
            name=call.name,
            agent=call.agent.name,
            agent_version=call.agent.version,
            arguments=tuple(
                self._argument(call, parameter, call.arguments[parameter.name])
                for parameter in signature.parameters
                if parameter.name in call.arguments
            ),
            output_schema=self._schema(signature.output, f"the output of agent {call.agent.name!r}"),
            after=call.after,
            map_parameter=call.map_parameter,
            map_limit=call.map_limit if call.map_parameter is not None else 0,
            condition=None
            if condition is None
            else Condition(
                self._condition(call),
                None if condition.function is None else condition.function.name,
            ),
            settings=call.agent.settings,
            fallbacks=tuple(
                Fallback(
                    agent=each.name,
                    agent_version=each.version,
                    output_schema=self._schema(each.signature.output, f"the output of agent {each.name!r}"),
                    settings=each.settings,
                )
                for each in call.agent.fallbacks
            ),
        )

    def _argument(self, call: Call, parameter: Parameter, binding: Binding) -> Argument:
        mapped = parameter.name == call.map_parameter
        expected = parameter.annotation
        if mapped:
            expected = list_of(expected)
        where = f"{call.name}.{parameter.name}"
        if isinstance(binding, Constant) and parameter.crossing != "value":
            resolved: Binding = Constant(
                None
            )  # None where that is accepted; the checks refuse everything else
        else:
            resolved = self._binding(binding, expected, where, f" ({call.place})")
        optional = not mapped and self._does_without(parameter, binding)
        if parameter.crossing == "later":
            resolved, gaps = awaited_list(self._draft, call, resolved, expected)
            optional = optional or gaps
        elif proceeds(call):
            optional = not is_map_of_one(self._draft, call, parameter.name)
            resolved = sparse(self._draft, call, parameter, resolved, expected)
        return Argument(
            parameter=parameter.name,
            binding=resolved,
            crossing=parameter.crossing,
            optional=optional,
            each=parameter.each,
            schema=self._schema(parameter.annotation, f"the parameter {where}"),
        )

    def _condition(self, call: Call) -> Binding:
        assert call.condition is not None
        function, where = call.condition.function, f"the condition of {call.name}"
        expected = Any if function is None else function.annotation
        return self._binding(call.condition.binding, expected, where, f" ({call.place})")

    def _does_without(self, parameter: Parameter, binding: Binding) -> bool:
        """Whether the agent accepts None wherever a source of this argument may have nothing to hand over."""
        places = list(self._places(binding, parameter.annotation))
        if parameter.crossing != "value" or not places:
            return parameter.optional
        return all(
            accepts_none(annotation) or (whole_list and self._may_be_absent(output, parameter))
            for annotation, output, whole_list in places
        )

    def _places(self, binding: Binding, annotation: Any) -> Iterator[tuple[Any, Output, bool]]:
        """Where outputs land in a parameter: the type there, the output, and whether it is a mapped node's list."""
        match binding:
            case Output(node=node, path=path):
                call = self._draft.calls.get(node)
                whole_list = call is not None and call.map_parameter is not None and not path
                yield element_of(annotation, 0) if whole_list else annotation, binding, whole_list
            case Collection():
                for key, item in keyed(binding):
                    yield from self._places(item, element_of(annotation, key))

    def _may_be_absent(self, output: Output, parameter: Parameter) -> bool:
        return self._draft.calls[output.node].condition is not None and parameter.optional

    def _binding(self, binding: Binding, annotation: Any, where: str, place: str) -> Binding:
        match binding:
            case Constant(value=value):
                if binding is BROKEN:
                    return binding
                return self._constant(value, annotation, where, place)
            case Collection(keys=keys):
                return Collection(
                    tuple(
                        self._binding(item, element_of(annotation, key), f"{where}[{key!r}]", place)
                        for key, item in keyed(binding)
                    ),
                    keys,
                )
            case Output() | RunInput():
                return replace(binding, path=self._draft.followed(binding).path)
            case _:
                return binding

    def _constant(self, value: Any, annotation: Any, where: str, place: str) -> Constant:
        try:
            dumped = json.loads(schema_of(annotation, where=where).dump(value, where=where))
            return Constant(_with_sorted_sets(value, dumped))
        except (DefinitionError, PayloadError) as error:
            self._draft.problems.append(f"{error.message}{place}")
            return Constant(None)

    def _schema(self, annotation: Any, where: str) -> str:
        try:
            schema = schema_of(annotation, where=where)
            self.schemas.setdefault(schema.fingerprint, schema.text)
            if schema.form.payloads:
                self._crossing[schema.fingerprint] = schema
        except DefinitionError as error:
            if error.message not in self._draft.problems:
                self._draft.problems.append(error.message)
            return ""
        return schema.fingerprint


def _with_sorted_sets(value: Any, dumped: Any) -> Any:
    """The JSON of a value with the elements of its sets in order: theirs differs from process to process."""
    if isinstance(dumped, list):
        if isinstance(value, set | frozenset):
            return sorted(dumped, key=canonical_json)
        if isinstance(value, list | tuple) and len(value) == len(dumped):
            return [_with_sorted_sets(each, other) for each, other in zip(value, dumped, strict=True)]
    if isinstance(dumped, dict):
        fields = value if isinstance(value, dict) else {name: getattr(value, name, None) for name in dumped}
        by_key = {str(key): each for key, each in fields.items()}
        return {key: _with_sorted_sets(by_key.get(key), each) for key, each in dumped.items()}
    return dumped
