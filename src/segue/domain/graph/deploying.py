"""What a deployment of other code would mean for the tasks that are still to be done, told before it is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from segue.domain.envelope.changes import change_of_payload
from segue.domain.envelope.forms import Form, PayloadForm
from segue.domain.envelope.upcasting import Upcasting, part_at
from segue.domain.envelope.versions import version_key
from segue.domain.graph.agent import Agent
from segue.domain.graph.code_schemas import CodeSchemas, signature_changes
from segue.domain.graph.graph import Argument, Binding, Constant, Graph, Node, Output, RunInput
from segue.domain.graph.graph import Collection as Literals
from segue.errors import NewerPayload, SchemaDrift

Needs = Literal["compatible", "needs upcaster", "needs old workers"]
"""What becomes of a task with the new code; the later, the worse."""

ORDER: tuple[Needs, ...] = ("compatible", "needs upcaster", "needs old workers")


class Trouble(NamedTuple):
    """Why the new code alone cannot do a task."""

    task: str
    needs: Needs
    reason: str


class InFlight(NamedTuple):
    """
    A run as far as it has come: its graph, the nodes that are still to be done, the schemas of the hand-offs that are
    there by node, and the forms behind all fingerprints.
    """

    graph: Graph
    open_nodes: Collection[str]
    sent: Mapping[str, Collection[str]]
    forms: Mapping[str, Form]


def worst(troubles: Collection[Trouble]) -> Needs:
    """What becomes of a run with these troubles."""
    return max((each.needs for each in troubles), key=ORDER.index, default="compatible")


def troubles_of(run: InFlight, code: CodeSchemas, conditions: Collection[str]) -> list[Trouble]:
    """Everything that stands in the way of the code ending a run, by task."""
    found: dict[Trouble, None] = {}
    for node in run.graph.nodes:
        if node.name in run.open_nodes:
            for needs, reason in _of_node(node, run, code, conditions):
                found[Trouble(node.name, needs, reason)] = None
    return list(found)


def _of_node(
    node: Node, run: InFlight, code: CodeSchemas, conditions: Collection[str]
) -> Iterator[tuple[Needs, str]]:
    agent = code.agents.get(node.agent)
    if agent is None:
        yield "needs old workers", f"there is no agent {node.agent!r} in the code"
        return
    if node.condition is not None and node.condition.function not in (None, *conditions):
        yield "needs old workers", f"there is no condition {node.condition.function!r} in the code"
    pinned = run.forms.get(node.output_schema)
    takes = {
        each.parameter: run.forms[each.schema].root for each in node.arguments if each.schema in run.forms
    }
    for message in signature_changes(agent, takes, None if pinned is None else pinned.root):
        yield "needs old workers", f"the agent {message}"
    given = {each.parameter for each in node.arguments}
    for parameter in agent.signature.parameters:
        if parameter.required and parameter.name not in given:
            yield "needs old workers", f"the agent needs {parameter.name!r}, which the run does not hand over"
    yield from _of_output(agent, pinned)
    for argument in node.arguments:
        if argument.parameter in agent.input_schemas:
            known = agent.input_schemas[argument.parameter].form.payloads
            for form, part in _sources(argument, argument.binding, run):
                yield from _of_source(form, part, known, code)


def _of_output(agent: Agent[Any], pinned: Form | None) -> Iterator[tuple[Needs, str]]:
    """Whether what the agent gives may be sent in the run."""
    for new in agent.output_schema.form.payloads.values():
        old = None if pinned is None else pinned.payloads.get(new.name)
        if old is None:
            continue
        fields = change_of_payload(old, new).fields
        if old.version == new.version and fields:
            told = "; ".join(map(str, fields))
            yield (
                "needs old workers",
                f"{new.label}, which the agent gives, changed under its version: {told}",
            )


def _sources(argument: Argument, binding: Binding, run: InFlight) -> Iterator[tuple[Form, Any]]:
    """The forms of what is there already for an argument, each with the part of it that is handed over."""
    match binding:
        case Output(node=node, path=path):
            is_mapped = run.graph.node(node).map_parameter is not None
            for fingerprint in run.sent.get(node, ()):
                if fingerprint in run.forms:
                    form = run.forms[fingerprint]
                    yield form, part_at(form, form.root, path[1:] if is_mapped else path)
        case RunInput(name=name, path=path):
            form_of_input = run.forms.get(next(each.schema for each in run.graph.inputs if each.name == name))
            if form_of_input is not None:
                yield form_of_input, part_at(form_of_input, form_of_input.root, path)
        case Constant() if argument.schema in run.forms:
            yield run.forms[argument.schema], run.forms[argument.schema].root
        case Literals(items=items):
            for item in items:
                yield from _sources(argument, item, run)


def _of_source(
    form: Form, part: Any, known: Mapping[str, PayloadForm], code: CodeSchemas
) -> Iterator[tuple[Needs, str]]:
    """Whether what is there can be read."""
    try:
        Upcasting(form, known, code.classes, where="what is there").check(part)
    except NewerPayload as error:
        yield "needs old workers", f"{error.requires} is there, and the code is older"
        return
    except SchemaDrift as error:
        yield "needs old workers", error.message
        return
    for sent in form.reached(part):
        mine = known.get(sent.name)
        if mine is None or version_key(sent.version) >= version_key(mine.version):
            continue
        change = code.change_since(sent)
        if change.breaks_readers and not code.can_upcast(sent.name, sent.version):
            told = "; ".join(map(str, change.fields))
            yield "needs upcaster", f"{sent.label} is there and is {mine.label} in the code: {told}"
