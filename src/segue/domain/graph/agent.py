"""`agent`: the decorator that makes a function an agent, and what a call of one means inside a workflow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, Unpack, overload

from segue.domain.envelope.hand_to import HandTo
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.graph.building import MAP_LIMIT, building_here
from segue.domain.graph.signature import Declaration, caller_namespace
from segue.domain.places import user_place
from segue.domain.settings.agent_settings import CallSettings, Settings, read_settings, refuse_others
from segue.domain.settings.retrying import Retry, checked_count
from segue.errors import DefinitionError, InvalidPayload, UsageError

if TYPE_CHECKING:
    from segue.domain.graph.watching import Subscription

T = TypeVar("T")
Out = TypeVar("Out")


class Agent(Declaration, Generic[Out]):
    """
    A named, versioned function with a typed output.

    Inside a workflow a call adds a task to the graph and returns a stand-in for the output. Elsewhere it raises
    UsageError: `fn` is the function itself.
    """

    def __init__(self, fn: Callable[..., Any], settings: Settings, namespace: Mapping[str, Any]) -> None:
        super().__init__("agent", fn, settings.get("name"), namespace)
        self.declared: Agent[Out] = self
        """The agent as its decorator left it: itself, but for the copies that `with_` makes."""
        self.version = self.checked_version(settings.get("version", "1"))
        self.subscriptions: tuple[Subscription, ...] = ()
        """The events that start it: see `on`."""
        try:
            refuse_others(settings, Settings.__annotations__)
            self.concurrency = _concurrency(settings.get("concurrency"))
            self._take(settings)
        except UsageError as error:
            raise self.wrong(error.message, error.remedy or "") from None

    @cached_property
    def input_schemas(self) -> dict[str, Schema[Any]]:
        """The schema of what crosses into each parameter."""
        return {
            parameter.name: schema_of(
                parameter.annotation, where=f"the parameter {parameter.name!r} of {self.name!r}"
            )
            for parameter in self.signature.parameters
        }

    @cached_property
    def output_schema(self) -> Schema[Out]:
        """The schema of the output."""
        return schema_of(self.signature.output, where=f"the output of {self.name!r}")

    def input_schema(self, parameter: str) -> Schema[Any] | None:
        """The schema of what crosses into one parameter; None if there is no such parameter."""
        return self.input_schemas.get(parameter)

    @property
    def fallbacks(self) -> tuple[Agent[Any], ...]:
        """The agents that try in turn after this one. A cycle of them ends with the first that comes again."""
        chain: list[Agent[Any]] = []
        names = {self.name}
        following = self.fallback
        while following is not None:
            chain.append(following)
            following = None if following.name in names else following.fallback
            names.add(chain[-1].name)
        return tuple(chain)

    @property
    def schemas(self) -> tuple[Schema[Any], ...]:
        """The types of all that crosses where it is called: what it takes, and what it and its fallbacks give."""
        return (
            *self.input_schemas.values(),
            self.output_schema,
            *(each.output_schema for each in self.fallbacks),
        )

    def check_arguments(self, documents: Mapping[str, bytes], where: str) -> None:
        """
        Hold arguments, each as JSON, to the types of the parameters, as for an agent that a task is handed to.

        `where` begins the error. Raises InvalidPayload.
        """
        parameters = {parameter.name: parameter for parameter in self.signature.parameters}
        taken = (
            f"{self.name!r} takes: {', '.join(f'{each.name}: {each.text}' for each in parameters.values())}."
        )
        others = [name for name in documents if name not in parameters]
        if others:
            raise InvalidPayload(f"{where}: there is no parameter {others[0]!r}", remedy=taken)
        for parameter in parameters.values():
            if parameter.crossing == "later" or parameter.each:
                raise InvalidPayload(
                    f"{where}: the parameter {parameter.name!r} is a {parameter.text}, which only a graph can give",
                    remedy="Let it take T, Handoff[T] or Ref[T].",
                )
            if parameter.name in documents:
                schema = self.input_schemas[parameter.name]
                schema.load(documents[parameter.name], where=f"{where}: the argument {parameter.name!r}")
            elif parameter.required:
                raise InvalidPayload(f"{where}: the argument {parameter.name!r} is missing", remedy=taken)

    def with_(self, **settings: Unpack[CallSettings]) -> Agent[Out]:
        """
        A copy with other settings, for one call: `research.with_(timeout="30s", retries=0)(goal)`.

        What is not given stays as the agent has it. Raises DefinitionError.
        """
        return self.with_settings(settings, f"{self.name}.with_(...) ({user_place()})")

    def with_settings(self, settings: Mapping[str, Any], where: str) -> Agent[Out]:
        """The same for settings from anywhere; `where` begins the error. Raises DefinitionError."""
        other, kept = copy(self), dict(self._given)
        if isinstance(settings.get("retries"), Retry):
            kept.pop("backoff", None)  # a whole policy takes its place
        if not settings.keys().isdisjoint(("pool", "pools")):
            kept.pop("pool", None)
            kept.pop("pools", None)
        try:
            refuse_others(settings, CallSettings.__annotations__)
            other._take({**kept, **settings})
        except UsageError as error:
            raise DefinitionError(f"{where}: {error.message}", remedy=error.remedy) from None
        return other

    def _take(self, settings: Mapping[str, Any]) -> None:
        self._given = settings
        self.settings = read_settings(settings)
        fallback = settings.get("fallback")
        if not isinstance(fallback, Agent | None):
            raise UsageError(
                f"fallback={fallback!r} is no agent", remedy="Use an agent that takes and gives the same."
            )
        self.fallback: Agent[Any] | None = fallback

    def __call__(self, /, *args: Any, after: Any = (), **kwargs: Any) -> Out:
        """
        Call the agent in a workflow. Arguments are stand-ins, lists and dicts with stand-ins in them, or plain values.

        `after` are calls that must have settled before, without handing anything over. Mistakes are reported when the
        workflow has been built, all at once.
        """
        output: Out = self._call(args, kwargs, after=after)
        return output

    def map(self, /, *items: Any, limit: int = MAP_LIMIT, after: Any = (), **arguments: Any) -> list[Out]:
        """
        Call the agent once for each element of a list that only the run knows; the result is the list of the outputs.

        The list goes to the first parameter, or to the one that it is given to by name. All other arguments are the
        same for each. A run whose list has more than `limit` elements fails there.
        """
        outputs: list[Out] = self._call(items, arguments, after=after, map_limit=limit)
        return outputs

    def when(self, condition: bool) -> ConditionalAgent[Out]:
        """
        The agent, to be called only if a condition holds in the run: a field that is true or false, or the call of an
        `@condition` function. If it does not hold, the task is skipped, and so are those that need its output.
        """
        return ConditionalAgent(self, condition)

    def _call(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        after: Any,
        condition: Any = None,
        map_limit: int | None = None,
    ) -> Any:
        here = building_here(
            f"agent {self.name!r}",
            "Call it in a workflow and run that with `segue.run(...)`; "
            f"in a unit test call {getattr(self, '__name__', self.name)}.fn(...).",
        )
        if map_limit is not None and self.signature.has("limit"):
            raise self.wrong(
                "its parameter 'limit' has the name of a keyword of .map", "Give the parameter another name."
            )
        return here.call(self, args, kwargs, after=after, condition=condition, map_limit=map_limit)


class ConditionalAgent(Generic[Out]):
    """An agent that is called only if a condition holds: what `agent.when(...)` returns."""

    def __init__(self, agent: Agent[Out], condition: Any) -> None:
        self._agent = agent
        self._condition = condition

    def __call__(self, /, *args: Any, after: Any = (), **kwargs: Any) -> Out | None:
        """Call the agent as usual. None stands for the output where the condition does not hold."""
        output: Out | None = self._agent._call(args, kwargs, after=after, condition=self._condition)
        return output

    def map(
        self, /, *items: Any, limit: int = MAP_LIMIT, after: Any = (), **arguments: Any
    ) -> list[Out] | None:
        """Call the agent once for each element of a list, if the condition holds."""
        outputs: list[Out] | None = self._agent._call(
            items, arguments, after=after, condition=self._condition, map_limit=limit
        )
        return outputs


class AgentDecorator(Protocol):
    """What `agent(...)` with settings returns."""

    @overload
    def __call__(self, fn: Callable[..., Coroutine[Any, Any, HandTo]], /) -> Agent[Any]: ...
    @overload
    def __call__(self, fn: Callable[..., Coroutine[Any, Any, Handoff[T] | HandTo]], /) -> Agent[T]: ...
    @overload
    def __call__(self, fn: Callable[..., Coroutine[Any, Any, T | HandTo]], /) -> Agent[T]: ...
    @overload
    def __call__(self, fn: Callable[..., HandTo], /) -> Agent[Any]: ...
    @overload
    def __call__(self, fn: Callable[..., Handoff[T] | HandTo], /) -> Agent[T]: ...
    @overload
    def __call__(self, fn: Callable[..., T | HandTo], /) -> Agent[T]: ...


@overload
def agent(fn: Callable[..., Coroutine[Any, Any, HandTo]], /) -> Agent[Any]: ...
@overload
def agent(fn: Callable[..., Coroutine[Any, Any, Handoff[T] | HandTo]], /) -> Agent[T]: ...
@overload
def agent(fn: Callable[..., Coroutine[Any, Any, T | HandTo]], /) -> Agent[T]: ...
@overload
def agent(fn: Callable[..., HandTo], /) -> Agent[Any]: ...
@overload
def agent(fn: Callable[..., Handoff[T] | HandTo], /) -> Agent[T]: ...
@overload
def agent(fn: Callable[..., T | HandTo], /) -> Agent[T]: ...
@overload
def agent(**settings: Unpack[Settings]) -> AgentDecorator: ...
def agent(fn: Callable[..., Any] | None = None, /, **settings: Unpack[Settings]) -> Any:
    """
    Make a function an agent: `@agent`, or with settings `@agent(timeout="2m", retries=2)`.

    It may be `async def`, `def` (run in a thread), or any object that can be called. The types of its parameters say
    how much crosses: `T` the output of another agent, `Handoff[T]` all of its hand-off, `Ref[T]` a summary and a
    pointer, `Later[T]` a value to start without. Raises DefinitionError.
    """
    namespace = caller_namespace()
    if fn is not None:
        return Agent(fn, settings, namespace)
    return lambda function: Agent(function, settings, namespace)


def _concurrency(given: int | None) -> int | None:
    return None if given is None else checked_count("concurrency", given, 1)
