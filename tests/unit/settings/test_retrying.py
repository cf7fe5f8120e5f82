"""Retries as data: what a policy allows, how long it waits, and what an error says about another try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.settings.retrying import (
    BACKOFF_MAXIMUM_SECONDS,
    RETRY_AFTER_MAXIMUM_SECONDS,
    Retry,
    RetryPolicy,
    Wishes,
    wishes_of,
)
from segue.errors import BudgetExceeded, DoNotRetry, RetryLater, UsageError

NOW = 1_700_000_000.0


class Busy(ConnectionError):
    """An error of a service, with whatever attributes a test gives it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__("busy")
        self.__dict__.update(attributes)


def names(error: BaseException) -> frozenset[str]:
    """The names that a policy may use for an error."""
    return wishes_of(error, NOW).names


def test_a_policy_is_pinned_as_plain_data() -> None:
    """Durations become seconds and classes their full names; names stay as they were written, each once."""
    errors = (TimeoutError, Busy, "Busy", "Busy")
    policy = Retry(3, "2s", 3, "10s", 0, on=errors, terminal=(ValueError, "x.Y")).policy()
    assert policy == RetryPolicy(
        retries=3,
        backoff_seconds=2.0,
        backoff_factor=3.0,
        backoff_maximum_seconds=10.0,
        backoff_jitter=0.0,
        retry_on=("builtins.TimeoutError", f"{__name__}.Busy", "Busy"),
        terminal=("builtins.ValueError", "x.Y"),
    )
    assert Retry(0).policy() == RetryPolicy()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"attempts": -1}, "attempts=-1"),
        ({"attempts": True}, "attempts=True"),
        ({"factor": 0.5}, "factor=0.5"),
        ({"factor": float("inf")}, "factor=inf"),
        ({"factor": float("nan")}, "factor=nan"),
        ({"jitter": 1.5}, "jitter=1.5"),
        ({"backoff": "soon"}, "backoff: 'soon' is not a duration"),
        ({"maximum": 0}, "maximum: the duration 0"),
        ({"maximum": None}, "maximum=None: a wait must end"),
        ({"on": ValueError}, "on=<class 'ValueError'> is no tuple"),
        ({"on": "ValueError"}, "on='ValueError' is no tuple"),
        ({"terminal": (int,)}, "terminal: <class 'int'> is no error"),
        ({"terminal": ("not a name",)}, "terminal: 'not a name' is no error"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(arguments: dict[str, Any], part: str) -> None:
    """A bad value is named where it is written, with the remedy."""
    with pytest.raises(UsageError) as caught:
        Retry(**{"attempts": 1, **arguments})
    assert part in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "name", ["Busy", f"{__name__}.Busy", "ConnectionError", "builtins.OSError", "Exception"]
)
def test_an_error_is_known_by_all_its_names(name: str) -> None:
    """The class and those it derives from, with and without their module."""
    assert not RetryPolicy(1, terminal=(name,)).allows(1, names(Busy()))
    assert RetryPolicy(1, retry_on=(name,)).allows(1, names(Busy()))


def test_which_errors_are_tried_again() -> None:
    """Without a list all are, with one only those in it, and terminal errors never, even if they are in both."""
    assert RetryPolicy(1).allows(1, names(ValueError()))
    assert not RetryPolicy(1).allows(2, names(ValueError()))
    assert not RetryPolicy(1, retry_on=("TimeoutError",)).allows(1, names(ValueError()))
    assert not RetryPolicy(1, retry_on=("Exception",), terminal=("Busy",)).allows(1, names(Busy()))
    assert not RetryPolicy(1, retry_on=()).allows(1, names(Busy()))


@given(
    st.floats(0, 1e6),
    st.floats(1, 10),
    st.floats(0.001, 1e6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 2000),
)
def test_a_wait_is_within_its_bounds(
    backoff: float, factor: float, maximum: float, part: float, chance: float, failures: int
) -> None:
    """No wait is longer than its maximum or shorter than chance may make it, and none before it was longer."""
    policy = RetryPolicy(1, backoff, factor, maximum, part)
    full = policy.delay_seconds(failures, 0.0)
    assert 0 <= policy.delay_seconds(failures, chance) <= full <= maximum
    assert policy.delay_seconds(failures, chance) >= full * (1 - part) * 0.999
    assert full <= policy.delay_seconds(failures + 1, 0.0)


def test_waits_double_to_a_minute() -> None:
    """What holds where nobody says anything: a second, twice that, at most a minute, half of it by chance."""
    assert [RetryPolicy().delay_seconds(failures, 0.0) for failures in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert RetryPolicy().delay_seconds(1000, 0.0) == BACKOFF_MAXIMUM_SECONDS
    assert RetryPolicy().delay_seconds(3, 1.0) == 2.0


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Busy(), None),
        (Busy(retry_after=2), 2.0),
        (Busy(retry_after="2.5"), 2.5),
        (Busy(retry_after=timedelta(minutes=1)), 60.0),
        (Busy(retry_after=0), 0.0),
        (Busy(retry_after=-1), None),
        (Busy(retry_after=True), None),
        (Busy(retry_after="soon"), None),
        (Busy(retry_after=float("nan")), None),
        (Busy(retry_after=10**9), RETRY_AFTER_MAXIMUM_SECONDS),
        (Busy(response=None), None),
        (Busy(response=SimpleNamespace(headers={"Retry-After": "7"})), 7.0),
        (Busy(response=SimpleNamespace(headers={"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"})), 30.0),
        (Busy(response=SimpleNamespace(headers={"Retry-After": "Tue, 14 Nov 2000 22:13:50 GMT"})), 0.0),
        (Busy(response=SimpleNamespace(headers={"Retry-After": "1", "retry-after-ms": "250"})), 0.25),
        (Busy(headers={"Retry-After": "9"}), 9.0),
        (HTTPError("http://x", 429, "", {"Retry-After": "3"}, None), 3.0),  # type: ignore[arg-type]
        (URLError("no route"), None),
        (RetryLater("30s"), 30.0),
        (RetryLater("2h"), RETRY_AFTER_MAXIMUM_SECONDS),
        (RetryLater(timedelta(seconds=4), "the model is loading"), 4.0),
    ],
)
def test_an_error_may_ask_for_a_wait(error: BaseException, seconds: float | None) -> None:
    """An attribute, a header in seconds or as a date, or `RetryLater`, each capped; nonsense is not heard."""
    assert datetime.fromtimestamp(NOW, UTC).isoformat() == "2023-11-14T22:13:20+00:00"
    assert wishes_of(error, NOW).retry_after_seconds == seconds


def test_reading_a_foreign_error_does_no_harm() -> None:
    """An error whose attributes raise is one that asks for nothing."""

    class Hostile(Exception):
        @property
        def retry_after(self) -> float:
            raise RuntimeError("do not touch")

    assert wishes_of(Hostile(), NOW).retry_after_seconds is None


def test_an_agent_may_rule_another_try_out() -> None:
    """`DoNotRetry` is final; a `RetryLater` without a duration is a mistake that is told."""
    assert wishes_of(DoNotRetry("no such customer"), NOW) == Wishes(names(DoNotRetry("")), final=True)
    with pytest.raises(UsageError, match="'soon' is not a duration"):
        wishes_of(RetryLater("soon"), NOW)


def test_an_overrun_is_a_time_out_to_policies() -> None:
    """A policy that names TimeoutError means the budgets too."""
    assert RetryPolicy(1, retry_on=("TimeoutError",)).allows(1, names(BudgetExceeded("run", 2.0, "slow")))
