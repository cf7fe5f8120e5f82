"""
A graph given as data, for people whose program or model writes it: JSON text, a mapping, or YAML.

    {
      "workflow": "compare",
      "inputs": {"goal": "str", "depth": {"type": "int", "default": 2}},
      "nodes": {
        "found":  {"agent": "research", "arguments": {"goal": "$goal"}},
        "prices": {"agent": "price", "arguments": {"name": "$found.competitors"}, "map": "name"},
        "risks":  {"agent": "risks", "arguments": {"found": "$found"}, "when": "$found.risky"},
        "report": {"agent": "write", "arguments": {"prices": "$prices", "first": "$found.competitors[0]"},
                   "after": ["risks"]}
      },
      "output": "$report"
    }

A text that begins with `$` refers to a node or an input, and to what is inside; `$$` begins a plain text. Lists and
objects may hold references; everything else is a plain value. `inputs` may be a list of names too: then their types
are those of the parameters that they go to. `map` is a parameter, or `{"parameter": ..., "limit": ...}`; `when` a
reference, or `{"condition": name, "arguments": {...}}`; `after` a node or a list of nodes; `with` an object of settings
for this call: `{"timeout": "30s", "retries": 2, "fallback": "cheaper", "on_failure": {"quorum": 2}, "pool": "gpu"}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from segue.domain.envelope.payload import parse_json
from segue.domain.graph.agent import Agent
from segue.domain.graph.building import BROKEN, MAP_LIMIT, Call, ConditionCall, Draft, bind, missing
from segue.domain.graph.fields import list_of
from segue.domain.graph.graph import Binding, Collection, Constant, Output, RunInput
from segue.domain.graph.settings_data import settings_from_data
from segue.domain.graph.signature import Parameter
from segue.domain.graph.workflow import Built, ConditionFunction, build
from segue.errors import DefinitionError, GraphError, PayloadError, UsageError

_TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
    "any": Any,
}
_KEYS = ("workflow", "version", "inputs", "nodes", "output")
_NODE_KEYS = ("agent", "arguments", "after", "when", "map", "with")
_REFERENCE = re.compile(r"\$(\w[\w-]*)((?:\.\w[\w-]*|\[-?\d+\]|\[\"[^\"]*\"\])*)")
_STEP = re.compile(r"\.(\w[\w-]*)|\[(-?\d+)\]|\[\"([^\"]*)\"\]")


def graph_from_data(
    data: str | Mapping[str, Any],
    agents: Mapping[str, Agent[Any]],
    conditions: Mapping[str, ConditionFunction] | None = None,
) -> Built:
    """
    Build a graph that is given as data, with the agents and conditions that it names.

    Raises GraphError with everything that is wrong: also cycles and unknown agents, which data can have.
    """
    document = parse_graph(data) if isinstance(data, str) else data
    if not isinstance(document, Mapping):
        raise UsageError(
            f"a graph cannot be made of {type(data).__name__}",
            remedy="Give the text of its JSON or YAML, or the mapping that it stands for.",
        )
    return build(_Reading(document, agents, conditions or {}).draft())


def parse_graph(text: str) -> dict[str, Any]:
    """
    The document in a text: JSON if it begins with a brace, else YAML (which needs the extra `yaml`).

    Raises GraphError.
    """
    try:
        document = parse_json(text, "the graph") if text.lstrip().startswith("{") else _parse_yaml(text)
    except PayloadError as error:
        raise GraphError("(unread)", [error.message]) from None
    if not isinstance(document, dict):
        raise GraphError("(unread)", [f"it is no object but {type(document).__name__}"])
    return document


def _parse_yaml(text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError:
        raise UsageError(
            "the graph is no JSON, and YAML cannot be read here",
            remedy='Install "segue[yaml]", or write JSON.',
        ) from None
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise GraphError("(unread)", ["it has a YAML alias (*name); write the part out"])
        document = json.dumps(yaml.safe_load(text))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise GraphError(
            "(unread)", [f"it is no YAML that JSON can hold: {' '.join(str(error).split())}"]
        ) from None
    return parse_json(document, "the graph")


def _unknown() -> Any:
    """Stand for an agent that is not known, so that everything else can be checked."""


class _Reading:
    """Reads one document. Mistakes are added to the draft's problems, each with its place in the document."""

    def __init__(
        self,
        document: Mapping[str, Any],
        agents: Mapping[str, Agent[Any]],
        conditions: Mapping[str, ConditionFunction],
    ) -> None:
        self._document = document
        self._agents = agents
        self._conditions = conditions
        self._nodes = self._objects(document.get("nodes", {}))
        self._inputs = document.get("inputs", {})
        self._problems: list[str] = []

    def draft(self) -> Draft:
        """The draft that the document describes."""
        document = self._document
        name = self._text("workflow", document.get("workflow"), "workflow")
        draft = Draft(
            name, self._text("version", document.get("version", "1"), "1"), (), problems=self._problems
        )
        self._refuse_others("the graph", document, _KEYS)
        if not isinstance(document.get("nodes", {}), Mapping):
            self._problems.append("nodes: it must be an object of nodes by name")
        declared = self._declared_inputs()
        self._names = {*declared, *self._nodes}
        for each in sorted(declared.keys() & self._nodes.keys()):
            self._problems.append(
                f"nodes.{each}: there is an input of this name too, so ${each} could be either"
            )
        draft.calls.update({node: self._call(node, each) for node, each in self._nodes.items()})
        draft.inputs = tuple(
            Parameter(
                each,
                self._input_type(draft, each, spec),
                required=not _has_default(spec),
                default=_default(spec),
            )
            for each, spec in declared.items()
        )
        if document.get("output") is not None:
            draft.output = self._binding(document["output"], "output")
            if isinstance(draft.output, Output | RunInput):
                draft.output_annotation = draft.followed(draft.output).annotation
        return draft

    def _call(self, name: str, node: Mapping[str, Any]) -> Call:
        where = f"nodes.{name}"
        self._refuse_others(where, node, _NODE_KEYS)
        agent = self._agent(where, node.get("agent"))
        arguments = self._arguments(f"{where}.arguments", node.get("arguments", {}))
        parameter, limit = self._map(where, node.get("map"))
        if agent is None:
            agent = Agent(_unknown, {"name": "unknown"}, {})
        else:
            given, problems = bind(agent.signature.parameters, (), arguments)
            problems += missing(agent.signature.parameters, given)
            self._problems += [f"{where}: {problem}" for problem in problems]
            if parameter is not None and parameter not in given:
                self._problems.append(f"{where}.map: {parameter!r} is none of its arguments")
            agent = self._with(f"{where}.with", agent, node.get("with", {}))
        return Call(
            name=name,
            agent=agent,
            arguments=arguments,
            place=where,
            after=self._after(f"{where}.after", node.get("after", ())),
            map_parameter=parameter,
            map_limit=limit,
            condition=self._condition(f"{where}.when", node["when"]) if "when" in node else None,
        )

    def _agent(self, where: str, name: Any) -> Agent[Any] | None:
        if not isinstance(name, str):
            self._problems.append(f'{where}: it names no agent; write "agent": "..."')
            return None
        if name not in self._agents:
            self._problems.append(f"{where}: there is no agent {name!r}{_suggestion(name, self._agents)}")
            return None
        return self._agents[name]

    def _with(self, where: str, agent: Agent[Any], given: Any) -> Agent[Any]:
        """The agent with the settings of one call."""
        if not isinstance(given, Mapping):
            self._problems.append(f"{where}: it must be an object of settings")
            return agent
        try:
            return agent.with_settings(settings_from_data(given, self._agents), where) if given else agent
        except UsageError as error:
            message = error.message if isinstance(error, DefinitionError) else f"{where}: {error.message}"
            message += f"; {error.remedy}" if error.remedy else ""
            self._problems.append(message)
            return agent

    def _arguments(self, where: str, arguments: Any) -> dict[str, Binding]:
        if not isinstance(arguments, Mapping):
            self._problems.append(f"{where}: it must be an object of arguments by parameter")
            return {}
        return {str(key): self._binding(value, f"{where}.{key}") for key, value in arguments.items()}

    def _map(self, where: str, given: Any) -> tuple[str | None, int]:
        if given is None or isinstance(given, str):
            return given, MAP_LIMIT
        if isinstance(given, Mapping) and isinstance(given.get("parameter"), str):
            self._refuse_others(f"{where}.map", given, ("parameter", "limit"))
            return given["parameter"], given.get("limit", MAP_LIMIT)
        self._problems.append(f'{where}.map: it must be a parameter, or {{"parameter": ..., "limit": ...}}')
        return None, MAP_LIMIT

    def _after(self, where: str, given: Any) -> tuple[str, ...]:
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, Sequence) or not all(isinstance(each, str) for each in names):
            self._problems.append(f"{where}: it must be the name of a node, or a list of names")
            return ()
        return tuple(dict.fromkeys(each.removeprefix("$") for each in names))

    def _condition(self, where: str, given: Any) -> ConditionCall:
        if not isinstance(given, Mapping):
            binding = self._binding(given, where)
            if isinstance(binding, Constant):
                self._problems.append(f"{where}: {given!r} is no condition; refer to a field with $")
            return ConditionCall(binding)
        self._refuse_others(where, given, ("condition", "arguments"))
        name = given.get("condition")
        arguments = self._arguments(f"{where}.arguments", given.get("arguments", {}))
        binding = Collection(tuple(arguments.values()), tuple(arguments))
        if not isinstance(name, str) or name not in self._conditions:
            suggestion = _suggestion(str(name), self._conditions)
            self._problems.append(f"{where}: there is no condition {name!r}{suggestion}")
            return ConditionCall(binding)
        function = self._conditions[name]
        given_arguments, problems = bind(function.signature.parameters, (), arguments)
        problems += missing(function.signature.parameters, given_arguments)
        self._problems += [f"{where}: {problem}" for problem in problems]
        return ConditionCall(binding, function)

    def _binding(self, value: Any, where: str) -> Binding:
        if isinstance(value, str) and value.startswith("$"):
            return Constant(value[1:]) if value.startswith("$$") else self._reference(value, where)
        if isinstance(value, list) and any(_refers(each) for each in value):
            return Collection(
                tuple(self._binding(each, f"{where}[{index}]") for index, each in enumerate(value))
            )
        if isinstance(value, Mapping) and any(_refers(each) for each in value.values()):
            items = tuple(self._binding(each, f"{where}.{key}") for key, each in value.items())
            return Collection(items, tuple(map(str, value)))
        return Constant(_unescaped(value))

    def _reference(self, text: str, where: str) -> Binding:
        found = _REFERENCE.fullmatch(text)
        if found is None:
            self._problems.append(
                f'{where}: {text!r} is no reference; write $node, $node.field, $node[0]; "$$" begins a plain text'
            )
            return BROKEN
        name, path = found[1], [_key(step) for step in _STEP.finditer(found[2])]
        # The nodes of a workflow inside another have dots in their names: the longest name that is there wins.
        for count in range(len(path), 0, -1):
            longer = ".".join([name, *map(str, path[:count])])
            if longer in self._names:
                name, path = longer, path[count:]
                break
        if name not in self._names:
            self._problems.append(
                f"{where}: there is no node or input {name!r}{_suggestion(name, self._names)}"
            )
            return BROKEN
        return Output(name, tuple(path)) if name in self._nodes else RunInput(name, tuple(path))

    def _declared_inputs(self) -> dict[str, Any]:
        if isinstance(self._inputs, list) and all(isinstance(each, str) for each in self._inputs):
            return dict.fromkeys(self._inputs)
        if isinstance(self._inputs, Mapping):
            return {str(name): spec for name, spec in self._inputs.items()}
        self._problems.append("inputs: it must be an object of types by name, or a list of names")
        return {}

    def _input_type(self, draft: Draft, name: str, spec: Any) -> Any:
        where = f"inputs.{name}"
        if isinstance(spec, Mapping):
            self._refuse_others(where, spec, ("type", "default"))
            spec = spec.get("type")
        if spec is None:
            return _type_by_use(draft, name)
        if not isinstance(spec, str) or spec not in _TYPES:
            self._problems.append(f"{where}: there is no type {spec!r}; there are {', '.join(_TYPES)}")
            return Any
        return _TYPES[spec]

    def _objects(self, given: Any) -> dict[str, Mapping[str, Any]]:
        if not isinstance(given, Mapping):
            return {}
        return {str(name): node if isinstance(node, Mapping) else {} for name, node in given.items()}

    def _text(self, key: str, value: Any, default: str) -> str:
        if isinstance(value, str) and value:
            return value
        self._problems.append(f"{key}: it must be a text")
        return default

    def _refuse_others(self, where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in given:
            if key not in known:
                self._problems.append(f"{where}: there is no {key!r} here{_suggestion(str(key), known)}")


def _type_by_use(draft: Draft, name: str) -> Any:
    """The type of the first parameter that an input goes to as a whole."""
    for call in draft.calls.values():
        for parameter in call.agent.signature.parameters:
            if call.arguments.get(parameter.name) == RunInput(name):
                return (
                    list_of(parameter.annotation)
                    if parameter.name == call.map_parameter
                    else parameter.annotation
                )
    return Any


def _has_default(spec: Any) -> bool:
    return isinstance(spec, Mapping) and "default" in spec


def _default(spec: Any) -> Any:
    return spec["default"] if _has_default(spec) else None


def _refers(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_refers, value))
    if isinstance(value, Mapping):
        return any(map(_refers, value.values()))
    return isinstance(value, str) and value.startswith("$") and not value.startswith("$$")


def _unescaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unescaped(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _unescaped(each) for key, each in value.items()}
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value


def _key(step: re.Match[str]) -> str | int:
    return int(step[2]) if step[2] is not None else step[1] if step[1] is not None else step[3]


def _suggestion(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = get_close_matches(name, names, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are: {', '.join(names)}" if names else ""
