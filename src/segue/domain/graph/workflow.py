"""`workflow` and `condition`: the decorators whose functions are called while a graph is built."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NotRequired, ParamSpec, TypeVar, overload

import typing_extensions
from typing_extensions import TypedDict

from segue.domain.envelope.artifact import ArtifactHome
from segue.domain.envelope.forms import PayloadForm
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.agent import Agent
from segue.domain.graph.assembling import Assembling
from segue.domain.graph.building import Draft, building, building_here
from segue.domain.graph.checks import problems_of
from segue.domain.graph.graph import Graph, RunInput
from segue.domain.graph.signature import Declaration, Parameter, caller_namespace
from segue.domain.graph.standin import Inside, StandIn
from segue.errors import GraphError

if TYPE_CHECKING:
    from segue.domain.graph.watching import Subscription

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)  # so that `print(await segue.run(...))` type-checks
C = typing_extensions.ParamSpec("C", default=...)


class Runnable(ABC, Generic[P, R_co]):
    """What `segue.run` takes: something that has, or can build, a checked graph."""

    __slots__ = ()

    @abstractmethod
    def build(self) -> Built:
        """The checked graph. Raises GraphError."""


@dataclass(frozen=True, slots=True)
class Built(Runnable[..., Any]):
    """
    A workflow that was built and checked.

    `agents` and `conditions` are those that it uses, by name; `schemas` the JSON Schemas of everything that crosses, by
    fingerprint, `payloads` what they hold. `inputs` and `output_annotation` are what a run takes and returns.
    """

    graph: Graph
    agents: dict[str, Agent[Any]]
    conditions: dict[str, ConditionFunction]
    schemas: dict[str, str]
    payloads: tuple[PayloadForm, ...]
    inputs: tuple[Parameter, ...]
    output_annotation: Any

    def build(self) -> Built:
        """This, which is built already."""
        return self


def build(draft: Draft) -> Built:
    """Check a draft and make its graph. Raises GraphError with everything that is wrong."""
    draft.problems += problems_of(draft)
    assembling = Assembling(draft)
    graph, payloads = assembling.graph(), assembling.payloads()
    if draft.problems:
        raise GraphError(draft.workflow, tuple(dict.fromkeys(draft.problems)))
    calls = draft.calls.values()
    functions = [
        call.condition.function for call in calls if call.condition is not None and call.condition.function
    ]
    return Built(
        graph=graph,
        agents={each.name: each.declared for call in calls for each in (call.agent, *call.agent.fallbacks)},
        conditions={function.name: function for function in functions},
        schemas=assembling.schemas,
        payloads=payloads,
        inputs=draft.inputs,
        output_annotation=draft.output_annotation,
    )


class Workflow(Declaration, Runnable[P, R_co]):
    """
    A function that draws a graph by calling agents. `segue.run(workflow, ...)` runs it.

    A call inside another workflow makes it a part of that one.
    """

    def __init__(
        self, fn: Callable[P, R_co], name: str | None, version: str, namespace: Mapping[str, Any]
    ) -> None:
        super().__init__("workflow", fn, name, namespace)
        self.version = self.checked_version(version)
        self.subscriptions: tuple[Subscription, ...] = ()
        """The events that start it: see `on`."""
        self._built: Built | None = None
        if inspect.iscoroutinefunction(fn):
            raise self.wrong(
                "it is an `async def`", "Make it a plain `def`: it draws the graph and waits for nothing."
            )

    def build(self) -> Built:
        """
        Draw and check the graph, once. No agent runs.

        Raises GraphError with everything that is wrong, StandInError where the function needs a value that only a run
        has, and DefinitionError.
        """
        if self._built is None:
            self._built = build(self._draft())
        return self._built

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Make this workflow a part of the one that is being built. Raises UsageError elsewhere."""
        here = building_here(f"workflow {self.name!r}", f"Run it: await segue.run({self.name}, ...).")
        return here.inline(self, args, kwargs)  # type: ignore[no-any-return]

    def _draft(self) -> Draft:
        for parameter in self.signature.parameters:
            if parameter.crossing != "value":
                raise self.wrong(
                    f"its input {parameter.name!r} is a {parameter.text}, and a run starts with plain values",
                    "Take the type itself.",
                )
        draft = Draft(self.name, self.version, self.signature.parameters)
        given = {
            parameter.name: StandIn(Inside(draft, RunInput(parameter.name), parameter.annotation))
            for parameter in draft.inputs
        }
        with building(draft) as here:
            returned = here.draw(self, given)
            draft.output = None if returned is None else here.binding_of(returned, "the output")
            declared = self.signature.output
            draft.output_annotation = here.annotation_of(returned) if declared is Any else declared
        return draft


class ConditionFunction(Declaration, Generic[C]):
    """A named function that says, in a run, whether a task is to run. `fn` is the function itself."""

    def __init__(self, fn: Callable[C, bool], name: str | None, namespace: Mapping[str, Any]) -> None:
        super().__init__("condition", fn, name, namespace)
        if inspect.iscoroutinefunction(fn):
            raise self.wrong(
                "it is an `async def`", "Make it a plain `def`; what takes time belongs in an agent."
            )

    def __call__(self, /, *args: C.args, **kwargs: C.kwargs) -> bool:
        """Give a stand-in for `agent.when(...)`, in a workflow. Raises UsageError elsewhere."""
        here = building_here(f"condition {self.name!r}", f"Call {self.name}.fn(...) for the function itself.")
        return here.condition(self, args, kwargs)  # type: ignore[no-any-return]

    @cached_property
    def annotation(self) -> Any:
        """The type of what `decide` is given: the arguments by name. Raises DefinitionError."""
        parameters = self.signature.parameters
        for parameter in parameters:
            if parameter.crossing != "value":
                raise self.wrong(
                    f"its parameter {parameter.name!r} is a {parameter.text}",
                    "A condition takes values: use the T in it.",
                )
        if not parameters:
            raise self.wrong(
                "it takes nothing, so it knows nothing of the run", "Give it what it is to judge."
            )
        fields = {
            each.name: each.annotation if each.required else NotRequired[each.annotation]
            for each in parameters
        }
        return TypedDict(self.name, fields)  # type: ignore[operator]

    def decide(self, document: bytes, *, where: str, home: ArtifactHome | None = None) -> bool:
        """The verdict on arguments given as a JSON object. Raises InvalidPayload if they do not fit."""
        return bool(self.fn(**schema_of(self.annotation).load(document, home, where=where)))


@overload
def workflow(fn: Callable[P, R], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *, name: str | None = None, version: str = "1"
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...
def workflow(fn: Callable[..., Any] | None = None, /, *, name: str | None = None, version: str = "1") -> Any:
    """
    Make a function a workflow: `@workflow`, or `@workflow(name=..., version=...)`.

    Its parameters are what a run takes and what it returns is what a run returns. Raises DefinitionError.
    """
    namespace = caller_namespace()
    if fn is not None:
        return Workflow(fn, name, version, namespace)
    return lambda function: Workflow(function, name, version, namespace)


@overload
def condition(fn: Callable[C, bool], /) -> ConditionFunction[C]: ...
@overload
def condition(*, name: str) -> Callable[[Callable[C, bool]], ConditionFunction[C]]: ...
def condition(fn: Callable[..., bool] | None = None, /, *, name: str | None = None) -> Any:
    """
    Make a function a condition for `agent.when(is_risky(found))`: evaluated once in a run, and recorded.

    It is found again by its name, so it can be pinned with the graph. Raises DefinitionError.
    """
    namespace = caller_namespace()
    if fn is not None:
        return ConditionFunction(fn, name, namespace)
    return lambda function: ConditionFunction(function, name, namespace)
