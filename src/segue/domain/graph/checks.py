"""
Everything that can be wrong with a workflow before it runs, found at once, each with the path that is wrong.

Each check takes a draft and yields one line for each mistake. Graphs that were drawn by calling agents cannot have
some of them (a cycle, an unknown node); graphs given as data can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segue.domain.envelope.schema import type_name
from segue.domain.graph.agent import Agent
from segue.domain.graph.building import BROKEN, Call, Draft, keyed
from segue.domain.graph.compatibility import fits, missing_fields, unknown_fields
from segue.domain.graph.fields import element_of, follow, list_of
from segue.domain.graph.graph import Binding, Collection, Constant, Output, RunInput
from segue.domain.graph.isolation import target_of
from segue.domain.graph.policy_checks import check_fallbacks, check_joins
from segue.domain.graph.signature import NAME, Parameter
from segue.domain.graph.standin import binding_text, path_text
from segue.errors import DefinitionError


def problems_of(draft: Draft) -> list[str]:
    """Everything that is wrong with a draft, except for what its building has found."""
    problems: list[str] = []
    for check in (
        _check_agents,
        _check_isolation,
        _check_external,
        _check_names,
        _check_references,
        _check_cycles,
        _check_arguments,
        _check_maps,
        _check_conditions,
        _check_output,
        check_fallbacks,
        check_joins,
        _check_use,
    ):
        problems += check(draft)
    return problems


def _check_agents(draft: Draft) -> Iterator[str]:
    """Two agents, or two conditions, under one name."""
    agents: dict[str, Agent[Any]] = {}
    for agent in (each for call in draft.calls.values() for each in (call.agent, *call.agent.fallbacks)):
        known = agents.setdefault(agent.name, agent)
        if known.fn != agent.fn:
            yield (
                f"two agents are called {agent.name!r}: at {known.place} and at {agent.place}; "
                'give one of them another name: @agent(name="...")'
            )
    functions = [
        call.condition.function for call in draft.calls.values() if call.condition and call.condition.function
    ]
    conditions = {function.name: function for function in reversed(functions)}
    for function in functions:
        if conditions[function.name].fn != function.fn:
            yield (
                f"two conditions are called {function.name!r}: at {conditions[function.name].place} and at "
                f'{function.place}; give one of them another name: @condition(name="...")'
            )


def _check_isolation(draft: Draft) -> Iterator[str]:
    """Agents for child processes that no child could find."""
    called = [agent for call in draft.calls.values() for agent in (call.agent, *call.agent.fallbacks)]
    for agent in {(each.name, each.settings.isolation): each for each in called}.values():
        if agent.settings.isolation == "process":
            try:
                target_of(agent)
            except DefinitionError as error:
                yield f"{error.message}; {error.remedy}"


def _check_external(draft: Draft) -> Iterator[str]:
    """A condition on an agent that no worker runs: nobody would evaluate it."""
    for name, call in draft.calls.items():
        if call.agent.settings.external and call.condition is not None:
            yield (
                f"{name}: its agent is external and has a condition, which the worker that runs a task evaluates; "
                f"give the condition to an agent before it ({call.place})"
            )


def _check_names(draft: Draft) -> Iterator[str]:
    """A name that a node of a graph given as data cannot have."""
    for name, call in draft.calls.items():
        if not NAME.fullmatch(name):
            yield f'{name!r} is no name of a node: use letters, digits, "_", "-" and "." ({call.place})'
        elif name.startswith("segue."):
            yield f"{name!r} is no name of a node: names that begin with 'segue.' are Segue's own ({call.place})"


def _check_references(draft: Draft) -> Iterator[str]:
    """References to nodes, inputs and fields that are not there."""
    for where, binding, place in _all_bindings(draft):
        for reference in references_in(binding):
            yield from (f"{where}: {problem}{place}" for problem in _broken(draft, reference))
    for call in draft.calls.values():
        for name in call.after:
            if name not in draft.calls:
                yield f"{call.name}: it comes after {name!r}, and there is no such node ({call.place})"


def _broken(draft: Draft, reference: Output | RunInput) -> Iterator[str]:
    if isinstance(reference, Output) and reference.node not in draft.calls:
        yield f"there is no node {reference.node!r}; there are: {', '.join(draft.calls) or 'none'}"
    elif isinstance(reference, RunInput) and draft.input(reference.name) is None:
        yield f"there is no input {reference.name!r}"
    else:
        found = draft.followed(reference)
        if found.problem is not None:
            yield f"{binding_text(reference)} leads nowhere: {found.problem}"


def _check_cycles(draft: Draft) -> Iterator[str]:
    """Nodes that wait for themselves: the whole way round, each cycle once."""
    waits = {name: _sources(call) & draft.calls.keys() for name, call in draft.calls.items()}
    done: set[str] = set()
    for start in waits:
        trail: list[str] = []
        pending = [(start, False)]
        while pending:
            name, leave = pending.pop()
            if leave:
                trail.pop()
                done.add(name)
            elif name in trail:
                # The trail goes against the flow of the work, so it is told backwards.
                cycle = [name, *reversed(trail[trail.index(name) :])]
                done.update(cycle)
                yield f"the nodes wait for one another in a cycle: {' -> '.join(cycle)}"
            elif name not in done:
                trail.append(name)
                pending.append((name, True))
                pending += [(source, False) for source in sorted(waits[name], reverse=True)]


def _sources(call: Call) -> set[str]:
    bindings = [*call.arguments.values(), *([call.condition.binding] if call.condition else [])]
    found = {each.node for binding in bindings for each in references_in(binding) if isinstance(each, Output)}
    return found | set(call.after)


def _check_arguments(draft: Draft) -> Iterator[str]:
    """Arguments that cannot cross as the agent asks for, or whose types certainly cannot fit."""
    for call in draft.calls.values():
        if call.map_parameter == "":
            continue  # which list is meant is not known
        for parameter in call.agent.signature.parameters:
            if call.arguments.get(parameter.name, BROKEN) is BROKEN or parameter.name == call.map_parameter:
                continue
            binding = call.arguments[parameter.name]
            where, place = f"{call.name}.{parameter.name}", f" ({call.place})"
            if parameter.crossing == "value":
                yield from (
                    f"{text}{place}" for text in _misfits(draft, binding, parameter.annotation, where)
                )
            elif not (isinstance(binding, Constant) and binding.value is None and _may_be_none(parameter)):
                yield from (f"{text}{place}" for text in _wrong_envelopes(draft, binding, parameter, where))


def _may_be_none(parameter: Parameter) -> bool:
    return parameter.optional and parameter.crossing != "later"


def _misfits(draft: Draft, binding: Binding, annotation: object, where: str) -> Iterator[str]:
    """Where a value certainly does not fit a type: `research -> write.found: ...`."""
    match binding:
        case Collection(keys=keys):
            whole = dict if keys is not None else list
            if fits(whole, annotation) == "no" and (keys is not None or fits(tuple, annotation) == "no"):
                yield f"{where}: a {whole.__name__} does not fit {type_name(annotation)}"
                return
            for key, item in keyed(binding):
                yield from _misfits(draft, item, element_of(annotation, key), f"{where}{path_text((key,))}")
        case Output() | RunInput():
            found = draft.followed(binding)
            if found.problem is None and fits(found.annotation, annotation) == "no":
                yield (
                    f"{binding_text(binding)} -> {where}: {type_name(found.annotation)} does not fit "
                    f"{type_name(annotation)}{_why(found.annotation, annotation)}"
                )


def _why(given: Any, wanted: Any) -> str:
    """Which fields are to blame for a misfit, as far as that is plain."""
    lacking, unknown = missing_fields(given, wanted), unknown_fields(given, wanted)
    if lacking:
        return f": it has no {', '.join(map(repr, lacking))}"
    if not unknown:
        return ""
    names = ", ".join(map(repr, unknown))
    return f': that does not know {names}, and says neither extra="ignore" nor extra="allow"'


def _wrong_envelopes(draft: Draft, binding: Binding, parameter: Parameter, where: str) -> Iterator[str]:
    """What is wrong with an argument for `Handoff[T]`, `Ref[T]`, `Later[T]` or a list of them."""
    text, inner = parameter.text, parameter.annotation
    if parameter.crossing == "later":
        if not isinstance(binding, Output):
            yield f"{where}: {text} needs the output of an agent, which it awaits; a value that is there already fits T"
        else:
            yield from _misfits(draft, binding, inner, where)
        return
    if parameter.each and isinstance(binding, Collection) and binding.keys is None:
        for index, item in enumerate(binding.items):
            yield from _wrong_envelope(draft, item, parameter, f"{where}[{index}]")
        return
    mapped = isinstance(binding, Output) and not binding.path and _is_mapped(draft, binding.node)
    if parameter.each and mapped and isinstance(binding, Output):
        element = follow(draft.whole(binding), (0,)).annotation
        if fits(element, inner) == "no":
            yield f"{binding.node} -> {where}: {type_name(element)} does not fit {type_name(inner)}"
    elif parameter.each:
        yield f"{where}: {text} needs the outputs of several tasks: a list of calls, or the result of agent.map(...)"
    else:
        yield from _wrong_envelope(draft, binding, parameter, where)


def _wrong_envelope(draft: Draft, binding: Binding, parameter: Parameter, where: str) -> Iterator[str]:
    if binding is BROKEN:
        return
    if not isinstance(binding, Output):
        yield f"{where}: {parameter.text} needs the output of an agent; take the type in it for plain values"
    elif binding.path:
        yield (
            f"{binding_text(binding)} -> {where}: {parameter.text} needs a whole output, and a field of one crosses "
            f"as a value only; take {type_name(parameter.annotation)}"
        )
    elif _is_mapped(draft, binding.node):
        yield f"{binding.node} -> {where}: one hand-off for each element of a map; take list[...] of them"
    else:
        yield from _misfits(draft, binding, parameter.annotation, where)


def _is_mapped(draft: Draft, node: str) -> bool:
    call = draft.calls.get(node)
    return call is not None and call.map_parameter is not None


def _check_maps(draft: Draft) -> Iterator[str]:
    """Maps over something that is no list, over parameters that take envelopes, and limits that allow nothing."""
    for call in draft.calls.values():
        if call.map_parameter is None:
            continue
        where, place = f"{call.name}.{call.map_parameter}", f" ({call.place})"
        if type(call.map_limit) is not int or call.map_limit < 1:
            yield f"{call.name}: limit={call.map_limit!r} lets nothing through; use a number from 1{place}"
        if not call.agent.signature.has(call.map_parameter) or call.map_parameter not in call.arguments:
            continue
        parameter = call.agent.signature.parameter(call.map_parameter)
        if parameter.crossing != "value" or parameter.each:
            yield f"{where}: .map hands over single elements, and {parameter.text} takes whole hand-offs; take T{place}"
            continue
        binding = call.arguments[call.map_parameter]
        whole = list_of(parameter.annotation)
        if isinstance(binding, Output | RunInput):
            given = draft.followed(binding).annotation
            if fits(given, list) == "no" and fits(given, set) == "no":
                yield f"{binding_text(binding)} -> {where}: .map needs a list, and {type_name(given)} is none{place}"
                continue
        yield from (f"{text}{place}" for text in _misfits(draft, binding, whole, where))


def _check_conditions(draft: Draft) -> Iterator[str]:
    """Conditions that are no condition, or whose arguments do not fit."""
    for call in draft.calls.values():
        condition = call.condition
        if condition is None or condition.binding is BROKEN:
            continue
        if condition.function is None and isinstance(condition.binding, Collection):
            continue  # the arguments of a function that is not known
        place = f" ({call.place})"
        try:
            expected = bool if condition.function is None else condition.function.annotation
        except DefinitionError as error:
            yield error.message
            continue
        for text in _misfits(draft, condition.binding, expected, f"the condition of {call.name}"):
            remedy = "; use an @condition function to decide on it" if condition.function is None else ""
            yield f"{text}{remedy}{place}"


def _check_output(draft: Draft) -> Iterator[str]:
    """What the workflow returns does not fit what it says that it returns."""
    if draft.output is not None:
        yield from _misfits(draft, draft.output, draft.output_annotation, "the output")


def _check_use(draft: Draft) -> Iterator[str]:
    """Inputs that nothing uses, and a workflow that calls nobody."""
    used = {
        each.name
        for _, binding, _ in _all_bindings(draft)
        for each in references_in(binding)
        if isinstance(each, RunInput)
    }
    for parameter in draft.inputs:
        if parameter.name not in used:
            yield f"the input {parameter.name!r} is used by nothing; use it or take it away"
    if not draft.calls:
        yield "it calls no agent, so there is nothing to run"


def _all_bindings(draft: Draft) -> Iterator[tuple[str, Binding, str]]:
    """Everything that is handed over: where to, from where, and the place in the code."""
    for call in draft.calls.values():
        place = f" ({call.place})"
        for name, binding in call.arguments.items():
            yield f"{call.name}.{name}", binding, place
        if call.condition is not None:
            yield f"the condition of {call.name}", call.condition.binding, place
    if draft.output is not None:
        yield "the output", draft.output, ""


def references_in(binding: Binding) -> Iterator[Output | RunInput]:
    """The outputs and inputs that a binding refers to."""
    match binding:
        case Output() | RunInput():
            yield binding
        case Collection(items=items):
            for item in items:
                yield from references_in(item)
