"""
What can be wrong with how a workflow answers failures, found before it runs: fallbacks that do not fit, joins that
cannot do what they are to do. Each check takes a draft and yields one line for each mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segue.domain.envelope.schema import type_name
from segue.domain.graph.agent import Agent
from segue.domain.graph.building import BROKEN, Call, Draft
from segue.domain.graph.compatibility import fits
from segue.domain.graph.graph import Output, nodes_of
from segue.domain.graph.proceeding import cannot_be_missing, is_map_of_one, is_whole_map, proceeds
from segue.domain.graph.signature import Parameter
from segue.domain.graph.standin import binding_text


def check_fallbacks(draft: Draft) -> Iterator[str]:
    """Agents that fall back on themselves, and fallbacks that do not take and give the same."""
    for call in draft.calls.values():
        chain = [call.agent.name, *(each.name for each in call.agent.fallbacks)]
        if len(set(chain)) < len(chain):
            yield f"{call.name}: an agent falls back on itself: {' -> '.join(chain)} ({call.place})"
            continue
        for fallback in call.agent.fallbacks:
            for problem in _misfits(call, fallback):
                yield f"{call.name}: its fallback {fallback.name!r} {problem} ({call.place})"


def _misfits(call: Call, fallback: Agent[Any]) -> Iterator[str]:
    """Why an agent cannot stand in for the one that is called."""
    for name in call.arguments:
        if not call.agent.signature.has(name):
            continue
        given = call.agent.signature.parameter(name)
        if not fallback.signature.has(name):
            yield f"does not take {name!r}, a {given.text}"
        elif not _takes(fallback.signature.parameter(name), given):
            taken = fallback.signature.parameter(name).text
            yield f"takes another {name!r}: {given.text} does not fit {taken}"
    for parameter in fallback.signature.parameters:
        if parameter.required and parameter.name not in call.arguments:
            yield f"needs {parameter.name!r}, a {parameter.text}, which the call does not give"
    output, wanted = fallback.signature.output, call.agent.signature.output
    if fits(output, wanted) == "no":
        yield f"gives something else: {type_name(output)} does not fit {type_name(wanted)}"


def _takes(parameter: Parameter, given: Parameter) -> bool:
    if (parameter.crossing, parameter.each) != (given.crossing, given.each):
        return False
    if given.optional and not parameter.optional and parameter.annotation is not Any:
        return False
    return fits(given.annotation, parameter.annotation) != "no"


def check_joins(draft: Draft) -> Iterator[str]:
    """Joins that are to go on without something that they cannot do without, and quorums that cannot be reached."""
    for call in draft.calls.values():
        if not proceeds(call):
            continue
        for parameter in call.agent.signature.parameters:
            binding = call.arguments.get(parameter.name, BROKEN)
            if is_map_of_one(draft, call, parameter.name):
                continue
            for output in cannot_be_missing(draft, parameter, binding):
                yield (
                    f"{call.name}.{parameter.name}: it is to proceed without {binding_text(output)} if it must, and "
                    f"{parameter.text} does not accept None; take {parameter.text} | None ({call.place})"
                )
        if call.agent.settings.quorum is not None:
            for problem in _wrong_quorum(draft, call, call.agent.settings.quorum):
                yield f"{call.name}: {problem} ({call.place})"


def _wrong_quorum(draft: Draft, call: Call, quorum: int) -> Iterator[str]:
    if call.after or call.map_parameter is not None or call.condition is not None:
        what = "after=" if call.after else ".map" if call.map_parameter is not None else ".when"
        yield f"a quorum counts what is handed over, and {what} waits for more than that; put it on a call of its own"
        return
    most, names = 0, []
    for name in dict.fromkeys(node for binding in _needs(call) for node in nodes_of(binding)):
        sender = draft.calls.get(name)
        names.append(name)
        most += sender.map_limit if sender is not None and sender.map_parameter is not None else 1
    if quorum > most:
        of = f"only {most}: {', '.join(names)}" if names else "none"
        yield f"a quorum of {quorum} cannot be reached; of inputs that are handed over it has {of}"
    for binding in _needs(call):
        if isinstance(binding, Output) and binding.path and is_whole_map(draft, Output(binding.node)):
            yield (
                f"{binding_text(binding)} has no place before all of {binding.node} is there, for which a quorum does "
                "not wait; take the whole list"
            )


def _needs(call: Call) -> list[Any]:
    """The bindings of all arguments that a call waits for."""
    return [
        call.arguments[each.name]
        for each in call.agent.signature.parameters
        if each.crossing != "later" and each.name in call.arguments
    ]
