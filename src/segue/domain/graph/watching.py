"""`monitor` and `on`: what is done about events, declared beside agents and workflows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar, get_args

from segue.domain.consumers import Since
from segue.domain.event_names import check_pattern
from segue.domain.graph.agent import Agent
from segue.domain.graph.signature import NAME, Declaration, caller_namespace
from segue.domain.graph.workflow import Built, Workflow
from segue.domain.places import user_place
from segue.domain.rows import Event
from segue.domain.settings.retrying import Retry, RetryPolicy, checked_count
from segue.errors import DefinitionError, UsageError

C = TypeVar("C")
Target = TypeVar("Target", bound=Declaration)
Takes = Literal["event", "handoff"]
Watching = Callable[[Event, C], Coroutine[Any, Any, None]]

TRIES = Retry(5)
"""How often an event is tried again that could not be handled, unless the declaration says otherwise."""


class Monitor(Declaration, Generic[C]):
    """A function that is told of events, and may act on runs. `fn` is the function itself."""

    def __init__(
        self,
        fn: Watching[C],
        patterns: tuple[str, ...],
        name: str | None,
        since: Since,
        retries: int | Retry,
        namespace: Mapping[str, Any],
    ) -> None:
        super().__init__("monitor", fn, name, namespace)
        if not inspect.iscoroutinefunction(fn):
            raise self.wrong("it is no `async def`", "Make it one: what it does to runs is awaited.")
        if len(inspect.signature(fn).parameters) != 2:
            raise self.wrong(
                "it must take two things", "Write `async def watch(event: Event, control: Control) -> None`."
            )
        self.consumer = f"monitor:{self.name}"
        try:
            self.patterns, self.since, self.policy = _checked(patterns, since, retries)
        except UsageError as error:
            raise self.wrong(error.message, error.remedy or "") from None


@dataclass(frozen=True)
class Subscription:
    """An agent or a workflow that is started once for every event that fits; `takes` says what it is started with."""

    name: str
    patterns: tuple[str, ...]
    since: Since
    policy: RetryPolicy
    target: Agent[Any] | Workflow[..., Any]

    @property
    def consumer(self) -> str:
        """The name under which the store keeps how far it has got."""
        return f"on:{self.name}"

    @cached_property
    def takes(self) -> Takes:
        """Whether it is started with the event itself, or with the hand-off that the event tells of."""
        return "event" if self._parameter.annotation is Event else "handoff"

    def build(self) -> Built:
        """
        What is run for an event: the target, after one task that stands for what it was given.

        Raises DefinitionError for a target that does not take one thing, and GraphError if it cannot run.
        """
        return self._started.build()

    @cached_property
    def _started(self) -> Workflow[..., Any]:
        annotation = self._parameter.annotation

        def given() -> Any:
            """Stand for what came with the event."""

        given.__annotations__["return"] = annotation
        source: Agent[Any] = Agent(given, {"name": f"on.{self.name}", "external": True}, {})
        target: Any = self.target

        def started() -> Any:
            return target(source())

        return Workflow(started, f"{self.target.name}.on", self.target.version, {})

    @property
    def _parameter(self) -> Any:
        needed = [each for each in self.target.signature.parameters if each.required]
        if len(needed) != 1 or needed[0].each:
            raise self.target.wrong(
                f"{self.consumer!r} starts it with one thing, and it takes {len(needed)}",
                "Let it take one: T or Handoff[T] for what was handed over, or the Event; give the rest defaults.",
            )
        (parameter,) = needed
        if parameter.annotation is not Event and not all(map(_hands_over, self.patterns)):
            raise self.target.wrong(
                f"{self.consumer!r} starts it with a hand-off, and not every {' or '.join(self.patterns)} has one",
                'Subscribe to completions ("task.research.complete"), or take the Event.',
            )
        return parameter


def monitor(
    *patterns: str, name: str | None = None, since: Since = "now", retries: int | Retry = TRIES
) -> Callable[[Watching[C]], Monitor[C]]:
    """
    Make a function a monitor: `@monitor("task.failed", "task.slow")` above `async def watch(event, control)`.

    It is called with every event that fits a pattern, one after the other, by one worker at a time, at least once: what
    it does with `control` happens once, whatever becomes of the worker. It begins with what happens after a store has
    first met it, or (`since="start"`) with everything that the store holds. When it raises, the event is tried again by
    `retries`; after that it is parked, and handles nothing more before a person says so. Raises DefinitionError.
    """
    namespace = caller_namespace()
    return lambda fn: Monitor(fn, patterns, name, since, retries, namespace)


def on(
    *patterns: str, name: str | None = None, since: Since = "start", retries: int | Retry = TRIES
) -> Callable[[Target], Target]:
    """
    Start an agent or a workflow once for every event that fits: `@on("task.research.complete")` above `@agent`.

    It takes one thing: what was handed over (`T` or `Handoff[T]`), or the `Event`. Whoever hands over knows nothing of
    it. It begins with everything that the store holds, or (`since="now"`) with what happens after the store has first
    met it. What it has set off itself does not start it again. Raises DefinitionError.
    """
    place = user_place()

    def subscribe(target: Target) -> Target:
        if not isinstance(target, Agent | Workflow):
            raise DefinitionError(
                f"{place}: @on was given {target!r}, which is neither an agent nor a workflow",
                remedy="Write it above @agent or @workflow.",
            )
        called = target.name if name is None else name
        if not NAME.fullmatch(called) or any(each.name == called for each in target.subscriptions):
            raise DefinitionError(
                f"{place}: {called!r} cannot be the name of this subscription",
                remedy='Give each of several a name of its own, of letters, digits, "_", "-" and ".": name="...".',
            )
        try:
            checked = _checked(patterns, since, retries)
        except UsageError as error:
            raise DefinitionError(f"{place}: {error.message}", remedy=error.remedy) from None
        target.subscriptions = (*target.subscriptions, Subscription(called, *checked, target))
        return target

    return subscribe


def _checked(
    patterns: tuple[Any, ...], since: Any, retries: int | Retry
) -> tuple[tuple[str, ...], Since, RetryPolicy]:
    if not patterns:
        raise UsageError("it names no events", remedy='Say which: "task.failed", "run.complete", "task.*".')
    for pattern in patterns:
        check_pattern(pattern)
    if since not in get_args(Since):
        raise UsageError(f"since={since!r} is not known", remedy="Use 'start' or 'now'.")
    policy = retries if isinstance(retries, Retry) else Retry(checked_count("retries", retries, 0))
    return patterns, since, policy.policy()


def _hands_over(pattern: str) -> bool:
    return pattern.startswith("task.") and pattern.endswith(".complete")
