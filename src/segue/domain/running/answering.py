"""How a failure is answered: by another try, by another agent, or by giving the task up."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from segue.domain.records import Claim, Ending, HandoffRecord
from segue.domain.running.terms import Terms
from segue.domain.settings.node_settings import OnOverrun
from segue.domain.settings.retrying import Wishes
from segue.errors import (
    BudgetExceeded,
    LoopDetected,
    SegueError,
    SpendingExceeded,
    UpstreamFailed,
    UsageError,
)

Helps = Literal["again", "another", "nobody"]
"""What may help after a failure: the same agent once more, another agent at least, or nothing."""


class Failed(NamedTuple):
    """
    The attempt raised, handed over a failure, or was not worth beginning.

    `error` is what is kept of it (`kind`, `message`, `traceback`), `handoff` what it leaves if it was the last, and
    `ending` how the task then ends.
    """

    error: dict[str, Any]
    handoff: HandoffRecord
    helps: Helps = "again"
    wishes: Wishes = Wishes(frozenset())
    ending: Literal["failed", "dead"] = "failed"


class Answer(NamedTuple):
    """How an attempt that failed ends: `retry` after a delay, `reassigned` to a successor, or for good."""

    ending: Ending
    delay_seconds: float = 0.0
    successor: str | None = None


def answer_to(failed: Failed, claim: Claim, terms: Terms, jitter: float) -> Answer:
    """
    The answer to a failure under the terms of the agent that worked, `jitter` a random number from 0 to 1.

    Nothing is begun that could only begin when the task's deadline has passed.
    """
    now, wishes = failed.handoff.completed_at, failed.wishes
    left_seconds = float("inf") if claim.deadline is None else claim.deadline - now
    failures = claim.failures + 1
    if failed.helps == "again" and terms.settings.retry.allows(failures, wishes.names):
        delay_seconds = terms.settings.retry.delay_seconds(failures, jitter)
        delay_seconds = max(delay_seconds, wishes.retry_after_seconds or 0.0)
        if delay_seconds < left_seconds:
            return Answer("retry", delay_seconds)
    if failed.helps != "nobody" and terms.fallback is not None and left_seconds > 0:
        return Answer("reassigned", successor=terms.fallback)
    return Answer(failed.ending)


def helps_after(error: BaseException, wishes: Wishes, on_overrun: OnOverrun, *, called: bool) -> Helps:
    """
    What may help after an error; `called` says whether the agent itself had begun.

    The same agent would fail again where it was not even called, was misused or says so itself. Whoever waits for
    what will never come, or is past the deadline, cannot be helped by anybody.
    """
    if isinstance(error, UpstreamFailed | LoopDetected | SpendingExceeded):
        return "nobody"
    if isinstance(error, BudgetExceeded):
        if error.budget == "deadline":
            return "nobody"
        return "again" if on_overrun == "reassign" else "another"
    if wishes.final or (isinstance(error, SegueError) and (not called or isinstance(error, UsageError))):
        return "another"
    return "again"
