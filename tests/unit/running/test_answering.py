"""How a failure is answered: another try, another agent, or the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.records import SINGLE, Claim, HandoffRecord, Token
from segue.domain.running.answering import Answer, Failed, Helps, answer_to, helps_after
from segue.domain.running.terms import Terms
from segue.domain.settings.node_settings import NodeSettings, OnOverrun
from segue.domain.settings.retrying import RetryPolicy, Wishes, wishes_of
from segue.errors import (
    Budget,
    BudgetExceeded,
    DoNotRetry,
    InvalidPayload,
    RetryLater,
    SegueError,
    UpstreamFailed,
    UsageError,
)

NOW = 100.0


def terms(
    retries: int = 0, *, fallback: str | None = None, on_overrun: OnOverrun = "reassign", backoff: float = 4.0
) -> Terms:
    """The terms of an agent."""
    settings = NodeSettings(retry=RetryPolicy(retries, backoff), on_overrun=on_overrun)
    return Terms(settings, None, None, None, fallback)


def claim(failures: int = 0, deadline: float | None = None) -> Claim:
    """A claim of an agent that has failed so often before."""
    token = Token("run", "a", SINGLE, 1, "c")
    return Claim(token, "a", failures + 1, 1, (), False, 0.0, failures=failures, deadline=deadline)


def failed(helps: Helps = "again", after: float | None = None) -> Failed:
    """A failure at the time NOW."""
    record = HandoffRecord(1, "failed", b"", 4, "sha256:f", "", 0.0, NOW, ())
    return Failed({"kind": "x"}, record, helps, Wishes(frozenset({"ValueError"}), retry_after_seconds=after))


@pytest.mark.parametrize(
    ("failures", "helps", "fallback", "ending"),
    [
        (0, "again", "x", "retry"),
        (1, "again", "x", "retry"),
        (2, "again", "x", "reassigned"),
        (2, "again", None, "failed"),
        (0, "another", "x", "reassigned"),
        (0, "another", None, "failed"),
        (0, "nobody", "x", "failed"),
    ],
)
def test_first_again_then_another_then_the_end(
    failures: int, helps: Helps, fallback: str | None, ending: str
) -> None:
    """The agent tries as often as it may and that can help; then the fallback, if it can; then it is over."""
    assert answer_to(failed(helps), claim(failures), terms(2, fallback=fallback), 0.0).ending == ending


def test_a_task_that_kills_its_workers_is_dead_and_not_failed() -> None:
    """Lost too often, a task goes to another agent, and is dead where there is none."""
    lost = failed("another")._replace(ending="dead")
    assert answer_to(lost, claim(), terms(3, fallback="x"), 0.0) == Answer("reassigned", successor="x")
    assert answer_to(lost, claim(), terms(3), 0.0) == Answer("dead")


@pytest.mark.parametrize(("after", "delay_seconds"), [(None, 4.0), (1.0, 4.0), (9.0, 9.0), (0.0, 4.0)])
def test_the_wait_that_an_error_asks_for_is_kept(after: float | None, delay_seconds: float) -> None:
    """No try comes before the error allows it, nor before the policy does."""
    assert answer_to(failed(after=after), claim(), terms(1), 0.0) == Answer("retry", delay_seconds)


@pytest.mark.parametrize(
    ("deadline", "ending"),
    [(NOW + 4.1, "retry"), (NOW + 4.0, "reassigned"), (NOW, "failed"), (NOW - 1, "failed")],
)
def test_nothing_is_begun_past_the_deadline(deadline: float, ending: str) -> None:
    """A try that could only begin past the deadline is not waited for, and past it nobody tries at all."""
    assert answer_to(failed(), claim(deadline=deadline), terms(1, fallback="x"), 0.0).ending == ending


@given(
    st.integers(0, 5),
    st.integers(0, 8),
    st.sampled_from(["again", "another", "nobody"]),
    st.booleans(),
    st.none() | st.floats(0, 1e4),
    st.none() | st.floats(0, 1e4),
    st.floats(0, 1),
)
def test_every_answer_keeps_the_rules(
    retries: int,
    failures: int,
    helps: Helps,
    other: bool,
    after: float | None,
    deadline: float | None,
    chance: float,
) -> None:
    """Tries end, waits are those asked for or longer, and nothing begins past the deadline, whatever comes together."""
    answer = answer_to(
        failed(helps, after),
        claim(failures, deadline),
        terms(retries, fallback="x" if other else None),
        chance,
    )
    if answer.ending == "retry":
        assert failures < retries
        assert helps == "again"
        assert answer.delay_seconds >= (after or 0.0)
    if answer.ending != "failed":
        assert deadline is None or NOW + answer.delay_seconds < deadline
    assert (answer.successor is not None) == (answer.ending == "reassigned")
    assert helps != "nobody" or answer.ending == "failed"


@pytest.mark.parametrize(
    ("error", "called", "helps"),
    [
        (ValueError("no"), True, "again"),
        (RetryLater("1s"), True, "again"),
        (InvalidPayload("the output does not fit"), True, "again"),
        (InvalidPayload("the input does not fit"), False, "another"),
        (ValueError("a condition raised"), False, "again"),
        (DoNotRetry("no such customer"), True, "another"),
        (UsageError("misused"), True, "another"),
        (UpstreamFailed("never comes"), True, "nobody"),
    ],
)
def test_what_helps_after_an_error(error: Exception, called: bool, helps: Helps) -> None:
    """An agent may fail by chance; its input, its code and what it says itself stay as they are."""
    assert helps_after(error, wishes_of(error, NOW), "reassign", called=called) == helps


@pytest.mark.parametrize(
    ("budget", "on_overrun", "helps"),
    [
        ("run", "reassign", "again"),
        ("idle", "reassign", "again"),
        ("queue", "reassign", "again"),
        ("run", "fail", "another"),
        ("queue", "fail", "another"),
        ("deadline", "reassign", "nobody"),
        ("deadline", "fail", "nobody"),
    ],
)
def test_what_helps_after_an_overrun(budget: Budget, on_overrun: OnOverrun, helps: Helps) -> None:
    """By policy an overrun is a failure like any other or not tried again; past the deadline nobody tries."""
    error: SegueError = BudgetExceeded(budget, 2.0, "slow")
    for called in (True, False):
        assert helps_after(error, wishes_of(error, NOW), on_overrun, called=called) == helps
