"""
Going on with what there is: where None stands for an input that was not handed over, and where it is left out.

None stands where its type is accepted. An element of a list or dict whose type does not accept it is left out; what is
neither cannot be done without. A quorum leaves out the elements of mapped lists in any case: it starts before all of
them are there, so none has its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from segue.domain.graph.building import Call, Draft, keyed
from segue.domain.graph.fields import accepts_none, element_of, is_of_any_size, is_open
from segue.domain.graph.graph import Binding, Collection, Output
from segue.domain.graph.signature import Parameter


def proceeds(call: Call) -> bool:
    """Whether a call goes on when some of its inputs are missing."""
    return call.agent.settings.on_failure == "proceed"


def is_map_of_one(draft: Draft, call: Call, parameter: str) -> bool:
    """Whether a parameter is what a call is mapped over, and its list comes whole or not at all."""
    binding = call.arguments.get(parameter)
    return parameter == call.map_parameter and not (
        isinstance(binding, Collection) or (isinstance(binding, Output) and is_whole_map(draft, binding))
    )


def is_whole_map(draft: Draft, binding: Output) -> bool:
    """Whether a reference stands for the list of all that a mapped node hands over."""
    call = draft.calls.get(binding.node)
    return call is not None and call.map_parameter is not None and not binding.path


def sparse(draft: Draft, call: Call, parameter: Parameter, binding: Binding, annotation: Any) -> Binding:
    """The binding of an argument, marked where elements are left out that were not handed over."""
    if parameter.each:
        left_out = not parameter.optional or call.agent.settings.quorum is not None
        return replace(binding, sparse=left_out) if isinstance(binding, Output | Collection) else binding
    return _marked(draft, call, binding, annotation)


def awaited_list(draft: Draft, call: Call, binding: Binding, annotation: Any) -> tuple[Binding, bool]:
    """
    The binding of a `Later`, and whether elements of its list may be missing: where None is accepted in their place, or
    where a call that proceeds leaves them out. Else the list is there whole or not at all.
    """
    if not (isinstance(binding, Output) and is_whole_map(draft, binding)):
        return binding, False
    if accepts_none(element_of(annotation, 0)):
        return binding, True
    if proceeds(call) and is_of_any_size(annotation, keyed=False):
        return replace(binding, sparse=True), True
    return replace(binding, intact=True), False


def _marked(draft: Draft, call: Call, binding: Binding, annotation: Any) -> Binding:
    match binding:
        case Output() if is_whole_map(draft, binding):
            in_quorum = call.agent.settings.quorum is not None
            left_out = is_of_any_size(annotation, keyed=False) and not accepts_none(element_of(annotation, 0))
            return replace(binding, sparse=in_quorum or left_out)
        case Collection(keys=keys):
            items = tuple(
                _marked(draft, call, item, element_of(annotation, key)) for key, item in keyed(binding)
            )
            elements = (element_of(annotation, key) for key, _ in keyed(binding))
            left_out = is_of_any_size(annotation, keyed=keys is not None) and not all(
                map(accepts_none, elements)
            )
            return Collection(items, keys, left_out)
        case _:
            return binding


def cannot_be_missing(draft: Draft, parameter: Parameter, binding: Binding) -> Iterator[Output]:
    """The outputs behind an argument that it cannot do without."""
    if parameter.crossing == "value":
        yield from _scalars(draft, binding, parameter.annotation)
    elif not (parameter.optional or parameter.each or parameter.crossing == "later") and isinstance(
        binding, Output
    ):
        yield binding


def _scalars(draft: Draft, binding: Binding, annotation: Any) -> Iterator[Output]:
    match binding:
        case Output() if not (
            accepts_none(annotation) or is_open(annotation) or is_whole_map(draft, binding)
        ):
            yield binding
        case Collection(keys=keys):
            free = is_of_any_size(annotation, keyed=keys is not None)
            for key, item in keyed(binding):
                if not (free and isinstance(item, Output)):
                    yield from _scalars(draft, item, element_of(annotation, key))
