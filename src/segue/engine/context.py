"""`ctx`: what an agent may know and do while it runs. It asks a `Running`: the attempt, or a relay to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from segue.domain.envelope.waiting import Waitable
from segue.domain.graph.agent import Agent
from segue.domain.settings.spending import Spending
from segue.engine.abilities.delegating import delegation_of
from segue.engine.abilities.effects import Effect, Reconcile
from segue.engine.abilities.reporting import report_of
from segue.engine.abilities.spending import Spend
from segue.engine.abilities.steps import step_of
from segue.engine.attempts.attempt import Running, current_attempt
from segue.errors import NoAttemptError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

P = ParamSpec("P")
T = TypeVar("T")


class Ctx:
    """
    What an agent may know about the attempt it runs in. Everywhere else each property raises `NoAttemptError`.

    It is carried into the threads of `def` agents, and into child processes.
    """

    __slots__ = ()

    @property
    def run(self) -> str:
        """The id of the run."""
        return _attempt().facts.run

    @property
    def task(self) -> str:
        """The name of the task, `analyse` or `analyse[3]`."""
        return _attempt().facts.task

    @property
    def agent(self) -> str:
        """The name of the agent."""
        return _attempt().facts.agent

    @property
    def attempt(self) -> int:
        """Which try of the task this is, from 1."""
        return _attempt().facts.attempt

    @property
    def epoch(self) -> int:
        """The epoch of the attempt: larger than that of every attempt before it, for resources that can compare."""
        return _attempt().facts.epoch

    @property
    def goal(self) -> str | None:
        """The original goal of the run, if it was given one."""
        return _attempt().facts.goal

    @property
    def deadline(self) -> datetime | None:
        """When the whole run must have ended, if it has to."""
        deadline = _attempt().facts.deadline
        return None if deadline is None else datetime.fromtimestamp(deadline, UTC)

    @overload
    def step(
        self, name: str, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Waitable[T]: ...
    @overload
    def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Waitable[T]: ...
    def step(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Waitable[Any]:
        """
        Call `fn` once for all attempts of the task: `answer = await ctx.step("ask", client.ask, prompt)`.

        Its result is committed under `name` before this returns, and a later attempt gets it without a call. It is kept
        in the form of the return annotation of `fn`, else as plain JSON, and always returned as it is read back. A
        function that is no coroutine is called where the agent runs. In a `def` agent: `ctx.step(...).wait()`.

        Raises UsageError for a name that is used twice in an attempt, InvalidPayload for a result that does not fit its
        annotation (now or as it was remembered), StaleEpoch if the attempt was superseded.
        """
        return step_of(_attempt(), name, fn, args, kwargs)

    @overload
    def delegate(
        self,
        agent: Agent[T],
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        budget: Spending | None = None,
        **given: Any,
    ) -> Waitable[T]: ...
    @overload
    def delegate(
        self,
        agent: str,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        budget: Spending | None = None,
        **given: Any,
    ) -> Waitable[Any]: ...
    def delegate(
        self,
        agent: Agent[Any] | str,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        budget: Spending | None = None,
        **given: Any,
    ) -> Waitable[Any]:
        """
        Let another agent answer, in a task of its own: `answer = await ctx.delegate(research, question="why?")`.

        The task is appended to the run, and this one waits for it without holding its place. A later attempt finds it
        again, by the agent, its arguments and the order, so it is asked once. The keywords are its arguments, which may
        also be given as `arguments={...}`. With a `budget` it may spend so much, and no more: it is reserved from what
        this task may spend, and what is left of it comes back. In a `def` agent: `ctx.delegate(...).wait()`.

        Raises UnknownAgent, InvalidPayload for arguments that do not fit it, UpstreamFailed if it comes to nothing,
        LoopDetected, SpendingExceeded, UsageError for what is no budget, StaleEpoch if the attempt was superseded.
        """
        return delegation_of(_attempt(), agent, arguments, given, budget)

    def spend(self, *, tokens: int | None = None, cost: float | None = None, calls: int = 1) -> Spend:
        """
        Set aside what a model call may take, before it is made: `async with ctx.spend(tokens=2000) as spent:`.

        Set `spent.tokens` (`cost`, `calls`) in the block to what it took; what is not set was spent as it was asked
        for. The budgets are those of the run and of the delegations that the task is in; an attempt that is lost in the
        middle has spent what it had set aside. Where nothing limits it, nothing is written. In a `def` agent:
        `with ctx.spend(...) as spent:`.

        Raises SpendingExceeded, where there is not so much left, before the block or after it; UsageError for what is
        no amount; StaleEpoch if the attempt was superseded.
        """
        return Spend(_attempt(), tokens, cost, calls)

    def progress(self, message: str | None = None, fraction: float | None = None) -> Waitable[None]:
        """
        Say how far the agent is: `await ctx.progress("page 3 of 10", fraction=0.3)`; it does not hang, says this too.

        The idle budget of the attempt begins anew, and an event `task.AGENT.progress` carries what was said; of what is
        said within half a second the last is kept. In a `def` agent: `ctx.progress(...).wait()`.

        Raises UsageError for a fraction that is not from 0 to 1, StaleEpoch if the attempt was superseded.
        """
        return report_of(_attempt(), message, fraction)

    def effect(self, name: str, key: str | None = None, reconcile: Reconcile | None = None) -> Effect:
        """
        Something that is done outside, at most once: `async with ctx.effect("charge", key=order.id) as charge:`.

        The intent is committed before the body runs, the outcome before the block is left. If an earlier attempt has
        left an intent without its outcome, `reconcile` is called with the key and says `Happened(result)`,
        `DidNotHappen()`, or None where it cannot tell. Without it, or if it cannot tell, the body does not run: the
        attempt ends, and the task waits for a person's word. In a `def` agent: `with ctx.effect(...) as charge:`.

        Raises UsageError for a name that is used twice in an attempt, EffectInDoubt, StaleEpoch.
        """
        return Effect(_attempt(), name, key, reconcile)


def _attempt() -> Running:
    try:
        return current_attempt.get()
    except LookupError:
        raise NoAttemptError(
            "`ctx` has no attempt here",
            remedy="It exists while Segue runs an agent; a unit test of `agent.fn(...)` must not need it.",
        ) from None


ctx = Ctx()
