"""`agent`: the decorator that makes a function an agent, and what a call of one means inside a workflow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any, Generic, Literal, Protocol, TypedDict, TypeVar, Unpack, overload

from segue.domain.building import MAP_LIMIT, building_here
from segue.domain.durations import Duration, seconds_of
from segue.domain.graph import NodeSettings
from segue.domain.handoff import Handoff
from segue.domain.schema import Schema, schema_of
from segue.domain.signature import Declaration, caller_namespace
from segue.errors import UsageError

T = TypeVar("T")
Out = TypeVar("Out")


class Settings(TypedDict, total=False):
    """
    The settings of an agent.

    `timeout` is how long an attempt may run; `retries` how often a failed one is repeated, the first time after
    `backoff` (None: at once), then after twice that and so on. `concurrency` is how many run at once in a worker.
    `takes` is how long an attempt usually runs, for checking deadlines. A `speculative` agent may start before its
    input is committed, in the same process. `decisions="required"` refuses hand-offs without decisions.
    """

    name: str | None
    version: str
    timeout: Duration | None
    retries: int
    backoff: Duration | None
    concurrency: int | None
    speculative: bool
    decisions: Literal["required"] | None
    takes: Duration | None


class Agent(Declaration, Generic[Out]):
    """
    A named, versioned function with a typed output.

    Inside a workflow a call adds a task to the graph and returns a stand-in for the output. Elsewhere it raises
    UsageError: `fn` is the function itself.
    """

    def __init__(self, fn: Callable[..., Any], settings: Settings, namespace: Mapping[str, Any]) -> None:
        super().__init__("agent", fn, settings.get("name"), namespace)
        self.version = self.checked_version(settings.get("version", "1"))
        self.concurrency = _checked_concurrency(self, settings.get("concurrency"))
        self.settings = _checked_settings(self, settings)

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

    def __call__(self, *args: Any, after: Any = (), **kwargs: Any) -> Out:
        """
        Call the agent in a workflow. Arguments are stand-ins, lists and dicts with stand-ins in them, or plain values.

        `after` are calls that must have settled before, without handing anything over. Mistakes are reported when the
        workflow has been built, all at once.
        """
        output: Out = self._call(args, kwargs, after=after)
        return output

    def map(self, *items: Any, limit: int = MAP_LIMIT, after: Any = (), **arguments: Any) -> list[Out]:
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

    def __call__(self, *args: Any, after: Any = (), **kwargs: Any) -> Out | None:
        """Call the agent as usual. None stands for the output where the condition does not hold."""
        output: Out | None = self._agent._call(args, kwargs, after=after, condition=self._condition)
        return output

    def map(self, *items: Any, limit: int = MAP_LIMIT, after: Any = (), **arguments: Any) -> list[Out] | None:
        """Call the agent once for each element of a list, if the condition holds."""
        outputs: list[Out] | None = self._agent._call(
            items, arguments, after=after, condition=self._condition, map_limit=limit
        )
        return outputs


class AgentDecorator(Protocol):
    """What `agent(...)` with settings returns."""

    @overload
    def __call__(self, fn: Callable[..., Coroutine[Any, Any, Handoff[T]]], /) -> Agent[T]: ...
    @overload
    def __call__(self, fn: Callable[..., Coroutine[Any, Any, T]], /) -> Agent[T]: ...
    @overload
    def __call__(self, fn: Callable[..., Handoff[T]], /) -> Agent[T]: ...
    @overload
    def __call__(self, fn: Callable[..., T], /) -> Agent[T]: ...


@overload
def agent(fn: Callable[..., Coroutine[Any, Any, Handoff[T]]], /) -> Agent[T]: ...
@overload
def agent(fn: Callable[..., Coroutine[Any, Any, T]], /) -> Agent[T]: ...
@overload
def agent(fn: Callable[..., Handoff[T]], /) -> Agent[T]: ...
@overload
def agent(fn: Callable[..., T], /) -> Agent[T]: ...
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


_KNOWN = Settings.__annotations__


def _checked_concurrency(agent: Agent[Any], concurrency: Any) -> int | None:
    if concurrency is None:
        return None
    return _checked_count(agent, "concurrency", concurrency, 1, "Use a number from 1, or None for no limit.")


def _checked_settings(agent: Agent[Any], settings: Settings) -> NodeSettings:
    unknown = [name for name in settings if name not in _KNOWN]
    if unknown:
        raise agent.wrong(f"there is no setting {unknown[0]!r}", f"There are: {', '.join(_KNOWN)}.")
    speculative = settings.get("speculative", False)
    if not isinstance(speculative, bool):
        raise agent.wrong(f"speculative={speculative!r} is neither true nor false", "Use speculative=True.")
    decisions = settings.get("decisions")
    if decisions not in (None, "required"):
        raise agent.wrong(
            f"decisions={decisions!r} is not known", 'Use decisions="required", or leave it out.'
        )
    timeout_seconds = _checked_duration(agent, "timeout", settings.get("timeout"))
    takes_seconds = _checked_duration(agent, "takes", settings.get("takes"))
    if timeout_seconds is not None and takes_seconds is not None and takes_seconds > timeout_seconds:
        raise agent.wrong(
            f"takes={settings.get('takes')!r} is longer than timeout={settings.get('timeout')!r}",
            "Give it more time, or say what it really takes.",
        )
    return NodeSettings(
        timeout_seconds=timeout_seconds,
        retries=_checked_count(agent, "retries", settings.get("retries", 0), 0, "Use a number from 0."),
        backoff_seconds=_checked_duration(agent, "backoff", settings.get("backoff", "1s")) or 0.0,
        takes_seconds=takes_seconds,
        speculative=speculative,
        decisions_required=decisions == "required",
    )


def _checked_count(agent: Agent[Any], name: str, value: Any, least: int, remedy: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise agent.wrong(f"{name}={value!r} is not possible", remedy)
    return value


def _checked_duration(agent: Agent[Any], name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        return seconds_of(value)
    except UsageError as error:
        raise agent.wrong(f"{name}: {error.message}", error.remedy or "") from None
