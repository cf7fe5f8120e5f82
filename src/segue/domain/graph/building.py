"""
A workflow while its graph is built: every call of an agent is written down as it comes, and nothing runs.

What is written down is a draft: it may hold anything, mistakes too. `checks` finds those, `assembling` makes the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import GenericAlias
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import ValidationError

from segue.domain.graph.fields import Found, follow, is_open, list_of, members, or_none
from segue.domain.graph.graph import Binding, Collection, Constant, Output, RunInput
from segue.domain.graph.signature import AFTER, Parameter
from segue.domain.graph.standin import Inside, StandIn, described, inside
from segue.domain.places import raised_at, user_place
from segue.errors import GraphError, StandInError, UsageError

if TYPE_CHECKING:
    from segue.domain.graph.agent import Agent
    from segue.domain.graph.workflow import ConditionFunction, Workflow

MAP_LIMIT = 1000
"""How many elements `agent.map` takes unless it is told otherwise."""

BROKEN = Constant(...)
"""Stands where an argument is a mistake that was reported already."""


@dataclass(frozen=True, slots=True)
class ConditionCall:
    """What decides whether a node runs: a value, or a function's verdict on it."""

    binding: Binding
    function: ConditionFunction | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an agent as it was written. Constants in the bindings are still plain Python values."""

    name: str
    agent: Agent[Any]
    arguments: dict[str, Binding]
    place: str
    after: tuple[str, ...] = ()
    map_parameter: str | None = None
    map_limit: int = MAP_LIMIT
    condition: ConditionCall | None = None

    @property
    def annotation(self) -> Any:
        """The type of what this call hands over."""
        output = self.agent.signature.output
        if self.map_parameter is not None:
            output = list_of(output)
        return output if self.condition is None else or_none(output)


@dataclass(slots=True)
class Draft:
    """A workflow as it was written: its inputs, its calls by name, what it returns, and the mistakes seen so far."""

    workflow: str
    version: str
    inputs: tuple[Parameter, ...]
    calls: dict[str, Call] = field(default_factory=dict)
    output: Binding | None = None
    output_annotation: Any = Any
    problems: list[str] = field(default_factory=list)

    def input(self, name: str) -> Parameter | None:
        """A parameter of the workflow by its name."""
        return next((parameter for parameter in self.inputs if parameter.name == name), None)

    def whole(self, binding: Output | RunInput) -> Any:
        """The type of the whole value that a reference leads into; `Any` if there is no such value."""
        if isinstance(binding, Output):
            call = self.calls.get(binding.node)
            return Any if call is None else call.annotation
        parameter = self.input(binding.name)
        return Any if parameter is None else parameter.annotation

    def followed(self, binding: Output | RunInput) -> Found:
        """What a reference leads to."""
        return follow(self.whole(binding), binding.path)


class Building:
    """Takes down the calls of one workflow and of those that it calls."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._prefix = ""
        self._names: set[str] = set()
        self._numbers: dict[str, int] = {}
        """The next number to try for calls that would have the same name."""
        self._open: list[Workflow[..., Any]] = []

    def call(
        self,
        agent: Agent[Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        after: Any,
        condition: Any,
        map_limit: int | None,
    ) -> Any:
        """Take down a call of an agent; `map_limit` makes it one for each element of a list."""
        place = user_place()
        name = self._free_name(agent.name)
        given, problems = bind(agent.signature.parameters, args, kwargs)
        problems += missing(agent.signature.parameters, given)
        self.draft.problems += [f"{name}: {problem} ({place})" for problem in problems]
        call = Call(
            name=name,
            agent=agent,
            arguments={
                parameter: self.binding_of(value, f"{name}.{parameter}") for parameter, value in given.items()
            },
            place=place,
            after=self._after(name, after, place),
            map_parameter=None if map_limit is None else self._mapped(name, agent, args, kwargs, place),
            map_limit=0 if map_limit is None else map_limit,
            condition=None if condition is None else self._condition(name, condition, place),
        )
        self.draft.calls[name] = call
        return StandIn(Inside(self.draft, Output(name), call.annotation))

    def condition(self, function: ConditionFunction, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Take down the call of a condition; what it gives is for `.when`."""
        place = user_place()
        given, problems = bind(function.signature.parameters, args, kwargs)
        problems += missing(function.signature.parameters, given)
        self.draft.problems += [f"condition {function.name}: {problem} ({place})" for problem in problems]
        bindings = {name: self.binding_of(value, f"{function.name}.{name}") for name, value in given.items()}
        binding = Collection(tuple(bindings.values()), tuple(bindings))
        return StandIn(Inside(self.draft, binding, Any, function))

    def draw(self, workflow: Workflow[..., Any], given: Mapping[str, Any]) -> Any:
        """Let a workflow's function call its agents; returns what it returns."""
        self._open.append(workflow)
        try:
            return workflow.fn(**given)
        except ValidationError as error:
            held = next(
                (each["input"] for each in error.errors() if isinstance(each["input"], StandIn)), None
            )
            if held is None:
                raise
            raise StandInError(
                f"{raised_at(error, 'pydantic')}: {described(held)} was put into a {error.title}, which needs values",
                remedy="Give a dict with the same fields, which is checked in the run; or make it in an agent.",
            ) from None
        finally:
            self._open.pop()

    def inline(self, workflow: Workflow[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Take down the calls of a workflow that is called inside another; their names get its name as a prefix."""
        place = user_place()
        if workflow in self._open:
            path = " -> ".join(
                [*(each.name for each in self._open[self._open.index(workflow) :]), workflow.name]
            )
            raise GraphError(self.draft.workflow, [f"a workflow calls itself: {path} ({place})"])
        name = self._free_name(workflow.name)
        given, problems = bind(workflow.signature.parameters, args, kwargs)
        problems += missing(workflow.signature.parameters, given)
        if problems:
            raise GraphError(self.draft.workflow, [f"{name}: {problem} ({place})" for problem in problems])
        outer, self._prefix = self._prefix, f"{name}."
        try:
            return self.draw(workflow, given)
        finally:
            self._prefix = outer

    def binding_of(self, value: Any, where: str) -> Binding:
        """Where a value comes from: a stand-in's source, a literal with stand-ins in it, else a constant."""
        if isinstance(value, StandIn):
            held = inside(value)
            if held.draft is not self.draft:
                self.draft.problems.append(f"{where}: {value!r} belongs to another workflow ({user_place()})")
                return BROKEN
            if held.condition is not None:
                self.draft.problems.append(f"{where}: {value!r} is for agent.when(...) only ({user_place()})")
                return BROKEN
            return held.binding
        if isinstance(value, list | tuple) and any(_holds_standin(each) for each in value):
            return Collection(
                tuple(self.binding_of(each, f"{where}[{index}]") for index, each in enumerate(value))
            )
        if isinstance(value, dict) and any(_holds_standin(each) for each in value.values()):
            keys = tuple(str(key) for key in value)
            return Collection(
                tuple(self.binding_of(each, f"{where}[{key!r}]") for key, each in value.items()), keys
            )
        return Constant(value)

    def annotation_of(self, value: Any) -> Any:
        """The type of a value that holds stand-ins, as far as it is known."""
        if isinstance(value, StandIn):
            held = inside(value)
            return follow(held.annotation, getattr(held.binding, "path", ())).annotation
        if isinstance(value, tuple) and type(value) is tuple:
            return GenericAlias(tuple, tuple(self.annotation_of(each) for each in value))
        if isinstance(value, list):
            kinds = {repr(kind): kind for kind in map(self.annotation_of, value)}
            return list_of(next(iter(kinds.values()))) if len(kinds) == 1 else list
        return Any

    def _free_name(self, wanted: str) -> str:
        """The name of the next call: `research`, then `research_2`, with the prefix of the workflow it stands in."""
        first = self._prefix + wanted
        name, number = first, self._numbers.get(first, 2)
        while name in self._names:
            name, number = f"{first}_{number}", number + 1
        self._names.add(name)
        self._numbers[first] = number
        return name

    def _after(self, name: str, after: Any, place: str) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for each in after if isinstance(after, list | tuple) else (after,):
            binding = self.binding_of(each, f"{name}.{AFTER}") if isinstance(each, StandIn) else None
            if isinstance(binding, Output):
                names[binding.node] = None
            else:
                self.draft.problems.append(f"{name}: after={each!r} is no call of an agent ({place})")
        return tuple(names)

    def _condition(self, name: str, condition: Any, place: str) -> ConditionCall:
        if not isinstance(condition, StandIn):
            self.draft.problems.append(
                f"{name}: .when({condition!r}) is known while the graph is built, so it is no condition of a run; "
                f"use a plain `if`, or a field of an output ({place})"
            )
            return ConditionCall(Constant(condition))
        held = inside(condition)
        if held.condition is not None and held.draft is self.draft:
            return ConditionCall(held.binding, held.condition)
        return ConditionCall(self.binding_of(condition, f"{name}.when"))

    def _mapped(
        self, name: str, agent: Agent[Any], args: Sequence[Any], kwargs: Mapping[str, Any], place: str
    ) -> str:
        """Which parameter gets one element of its list for each task."""
        parameters = [parameter.name for parameter in agent.signature.parameters]
        if args:
            return parameters[0] if parameters else ""
        lists = [
            key
            for key, value in kwargs.items()
            if isinstance(value, StandIn | list | tuple) and key in parameters
        ]
        if len(lists) > 1:
            lists = [key for key in lists if self._is_surplus_list(agent, key, kwargs[key])]
        if len(lists) == 1:
            return lists[0]
        self.draft.problems.append(
            f"{name}: .map does not know which list to go over; put it first: {agent.name}.map(items, ...) ({place})"
        )
        return ""

    def _is_surplus_list(self, agent: Agent[Any], key: str, value: Any) -> bool:
        """Whether a list is given where the agent takes no list, so that it can only be meant for its elements."""
        wanted = agent.signature.parameter(key).annotation
        given = list if isinstance(value, list | tuple) else self.annotation_of(value)
        return _is_list(given) and not is_open(wanted) and not _is_list(wanted)


_current: ContextVar[Building | None] = ContextVar("building", default=None)


@contextmanager
def building(draft: Draft) -> Iterator[Building]:
    """Inside, calls of agents are taken down in the draft."""
    here = Building(draft)
    token = _current.set(here)
    try:
        yield here
    finally:
        _current.reset(token)


def building_here(what: str, remedy: str) -> Building:
    """The workflow that is being built where the user's code runs. Raises UsageError if none is."""
    here = _current.get()
    if here is None:
        raise UsageError(f"{user_place()}: {what} was called outside a workflow", remedy=remedy)
    return here


def bind(
    parameters: Sequence[Parameter], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The arguments of a call by parameter, and what is wrong with them, except for those that are missing."""
    names = [parameter.name for parameter in parameters]
    positional = [parameter.name for parameter in parameters if not parameter.keyword_only]
    given = dict(zip(positional, args, strict=False))
    problems = []
    if len(args) > len(positional):
        most = f"{len(positional)} argument{'' if len(positional) == 1 else 's'}"
        problems.append(f"takes {most} by position and got {len(args)}")
    for name, value in kwargs.items():
        if name in given:
            problems.append(f"got {name!r} twice")
        elif name not in names:
            problems.append(f"has no parameter {name!r}; it takes {', '.join(names) or 'nothing'}")
        given.setdefault(name, value)
    return {name: given[name] for name in names if name in given}, problems


def missing(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a call that leaves out parameters without a default."""
    return [f"misses {each.name!r}" for each in parameters if each.required and each.name not in given]


def keyed(collection: Collection) -> list[tuple[str | int, Binding]]:
    """The bindings in a list or dict literal, each with its key or index."""
    keys: Sequence[str | int] = range(len(collection.items)) if collection.keys is None else collection.keys
    return list(zip(keys, collection.items, strict=True))


def _holds_standin(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_standin(each) for each in value)
    if isinstance(value, dict):
        return any(_holds_standin(each) for each in value.values())
    return isinstance(value, StandIn)


def _is_list(annotation: Any) -> bool:
    return any((get_origin(kind) or kind) in (list, tuple) for kind in members(annotation))
