"""One attempt of a task on its way through a process, and what an agent sees of it: a `Running`, which `ctx` asks."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from segue.domain.envelope.artifact import ArtifactHome, artifact_home
from segue.domain.graph.agent import Agent
from segue.domain.records import Amounts, Claim, Settlement, task_name
from segue.domain.running.handing_on import Way, step_handed_on, way_of
from segue.domain.running.pins import scope_of
from segue.domain.running.plan import MAP_AGENT, Step
from segue.domain.running.terms import Terms
from segue.engine.abilities.delegating import Delegating, Desk
from segue.engine.abilities.notebook import Keeping, Notebook, TaskNotebook
from segue.engine.abilities.spending import Means, Purse, TaskPurse
from segue.errors import Budget, EffectInDoubt, NewerPayload, StaleEpoch

if TYPE_CHECKING:
    from segue.domain.envelope.hand_to import HandTo
    from segue.domain.envelope.sealing import Sealed
    from segue.domain.rows import StoredHandoff
    from segue.engine.abilities.later import LaterDesk
    from segue.engine.abilities.pausing import Pause
    from segue.engine.inputs.book import LiveRun
    from segue.engine.registry import Registry


Clocked = Budget | Literal["slow"]
"""What the time of an attempt is taken for: its budgets, and when it counts as slow, which only is told of."""


class Facts(NamedTuple):
    """What `ctx` tells an agent about its attempt. `deadline` is in seconds of the wall clock."""

    run: str
    task: str
    agent: str
    attempt: int
    epoch: int
    goal: str | None
    deadline: float | None
    scope: str = ""
    """What tells the steps and effects of its agent from those of others that the task was with before."""


class Running(Protocol):
    """The attempt that runs here, as `ctx` sees it."""

    @property
    def facts(self) -> Facts:
        """What does not change while it runs."""
        ...

    @property
    def notebook(self) -> Notebook:
        """What its task remembers across attempts."""
        ...

    @property
    def purse(self) -> Purse:
        """What it may spend."""
        ...

    async def delegate(self, sealed: Sealed, given: HandTo | None, share: Amounts | None) -> bytes:
        """Let another agent answer, in a task of its own; the JSON of what that hands over."""
        ...


class Attempt:
    """A claimed task on its way through this process."""

    __slots__ = (
        "_delegating",
        "_notebook",
        "_purse",
        "agent",
        "begun",
        "called",
        "called_agent",
        "claim",
        "confirmed",
        "doubt",
        "ended",
        "ends",
        "entered",
        "handed_on",
        "in_agent",
        "is_told_to_end",
        "item",
        "live",
        "node",
        "out_of",
        "pause",
        "released_slot",
        "renewed_at",
        "run",
        "settlement",
        "started_at",
        "step",
        "superseded",
        "task",
        "terms",
        "token",
        "unreadable",
        "unreported",
    )

    live: LiveRun
    called_agent: str
    """The name of the agent that the graph calls, whoever has the task now."""
    step: Step
    terms: Terms
    """Those under which its agent works on the task."""
    agent: Agent[Any] | None
    settlement: Settlement
    """What the store is to write about it, once it has ended."""

    def __init__(self, claim: Claim, asked_at: float, confirmed: asyncio.Future[None] | None = None) -> None:
        self.claim = claim
        self.token = claim.token
        self.run, self.node, self.item, _, _ = claim.token
        self.confirmed = confirmed
        """Given to a speculative attempt: done when the commit that holds its claim is."""
        self.renewed_at = asked_at
        """From when the lease counts, by the boot clock: from before the store was asked for it, or to renew it."""
        self.started_at = 0.0
        self.begun = False
        self.called = False
        """Whether the agent itself has begun."""
        self.in_agent = False
        """Whether the agent itself is running."""
        self.entered = False
        """Whether the run of the attempt is known, so that an outcome can be settled."""
        self.task: asyncio.Task[None] | None = None
        self.ends: dict[Clocked, float] = {}
        """When the agent runs over each of its budgets, by the boot clock, while it runs and their time does too."""
        self.out_of: Budget | None = claim.overrun
        """The budget that it ran over, or its task before it was claimed."""
        self.unreported: str | None = None
        """What the agent last said of its progress, if that is not written down yet."""
        self.superseded = False
        self.pause: Pause | None = None
        """Given to an attempt that waits for a `Later`, or did."""
        self.released_slot = False
        """The slot is with others: the attempt has ended, or waits for a `Later`."""
        self.ended = False
        self.is_told_to_end = False
        """It was cancelled, not by its own agent: what it still does is to clear up."""
        self.doubt: EffectInDoubt | None = None
        """The attempt ends in doubt: it came to an effect of which nobody knows whether it happened."""
        self.handed_on: StoredHandoff | None = None
        """What its agent goes on from, if the task was handed on with `HandTo`, or delegated."""
        self.unreadable: NewerPayload | None = None
        """What it awaited turned out to be newer than this process can read: it ends, and the task is for others."""
        self._notebook: Notebook | None = None
        self._delegating: Delegating | None = None
        self._purse: TaskPurse | None = None

    def cancel(self) -> None:
        """
        Stop the attempt. One that has not begun sees for itself that it must not: a task that is cancelled before its
        first step never runs at all, and nobody would clear up after it.
        """
        self.is_told_to_end = True
        if self.begun and self.task is not None:
            self.task.cancel()

    def run_over(self, budget: Budget) -> None:
        """The time is up: stop the agent."""
        self.ends = {}
        self.out_of = budget
        self.cancel()

    def leave_behind(self) -> Attempt:
        """
        Give up on an agent that does not end: nothing that it does counts any more. The answer is the attempt that
        takes the place of this one, with its claim and its slot, and is only to be settled.
        """
        other = Attempt(self.claim, self.renewed_at, self.confirmed)
        other.out_of, other.doubt, other.started_at = self.out_of, self.doubt, self.started_at
        other.handed_on = self.handed_on
        other.superseded, other.released_slot = self.superseded, self.released_slot
        self.superseded = self.ended = self.released_slot = True
        return other

    def stale(self) -> StaleEpoch:
        """What its agent is told where the store says that the task is no longer with it."""
        return StaleEpoch(
            f"{self.name} (epoch {self.token.epoch}) was superseded while it ran",
            remedy="Nothing to do: another attempt has the task now.",
        )

    def enter(self, live: LiveRun, registry: Registry) -> None:
        """The run of the attempt is known now."""
        self.entered = True
        self.live = live
        step, agent = live.plan.steps[self.node], self.claim.agent
        self.called_agent = step.node.agent
        if self.handed_on is not None:
            step = step_handed_on(step, self.handed_on.record, live.options)
        self.step = step
        self.terms = step.terms.get(agent) or step.terms[step.node.agent]
        self.agent = None if agent == MAP_AGENT else registry.find(agent)

    @property
    def name(self) -> str:
        """The task's name."""
        return task_name(self.node, self.item)

    @property
    def way(self) -> Way:
        """The agents that the task has been with."""
        return way_of(self.step, None if self.handed_on is None else self.handed_on.record)

    @property
    def substitute(self) -> str | None:
        """The name of its agent, if the graph calls another: a fallback, handed to, or given the task by somebody."""
        name = self.claim.agent
        return None if name in (self.called_agent, MAP_AGENT) else name

    @property
    def output_schema(self) -> str | None:
        """The fingerprint of the output that the run has pinned for its agent; None if it does not name the agent."""
        node, agent = self.step.node, self.claim.agent
        if agent == node.agent:
            return node.output_schema
        return next((each.output_schema for each in node.fallbacks if each.agent == agent), None)

    @property
    def facts(self) -> Facts:
        """What `ctx` tells about it."""
        options = self.live.options
        return Facts(
            self.run,
            self.name,
            self.claim.agent,
            self.claim.attempt,
            self.token.epoch,
            options.goal,
            options.deadline,
            scope_of(self.claim),
        )

    @property
    def notebook(self) -> Notebook:
        """What the task remembers; opened when the agent first needs it."""
        if self._notebook is None:
            self._notebook = TaskNotebook(self, _keeping.get())
        return self._notebook

    @property
    def delegating(self) -> Delegating:
        """What the task delegates; opened when the agent first does."""
        if self._delegating is None:
            self._delegating = Delegating(self, _delegations.get())
        return self._delegating

    @property
    def later(self) -> LaterDesk:
        """Where it waits without its slot."""
        return _delegations.get().later

    @property
    def purse(self) -> TaskPurse:
        """What the task may spend; opened when it is first asked for."""
        if self._purse is None:
            keeping = _keeping.get()
            self._purse = TaskPurse(self, Means(keeping.store, keeping.on_failure))
        return self._purse

    async def delegate(self, sealed: Sealed, given: HandTo | None, share: Amounts | None) -> bytes:
        """Let another agent answer, in a task of its own."""
        return await self.delegating.answer(sealed, given, share)

    def name_of(self, parameter: str) -> str:
        """How errors name a parameter of the task."""
        return name_of(parameter, self.name)


def name_of(parameter: str, task: str) -> str:
    """How errors name a parameter of a task."""
    return f"{parameter!r} of {task}"


current_attempt: ContextVar[Running] = ContextVar("segue_attempt")

_keeping: ContextVar[Keeping] = ContextVar("segue_keeping")

_delegations: ContextVar[Desk] = ContextVar("segue_delegations")


def context_for(home: ArtifactHome, keeping: Keeping, delegations: Desk) -> Context:
    """What all attempts of a worker find in their context; each gets a copy."""
    context = copy_context()
    context.run(artifact_home.set, home)
    context.run(_keeping.set, keeping)
    context.run(_delegations.set, delegations)
    return context
