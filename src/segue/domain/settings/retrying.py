"""Retries as data: how often, how long to wait, and which errors deserve another try."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from segue.domain.settings.budgets import optional_seconds
from segue.domain.settings.durations import Duration, seconds_of
from segue.errors import DoNotRetry, RetryLater, UsageError

BACKOFF_MAXIMUM_SECONDS = 60.0
"""No retry waits longer than this for its turn, unless its policy or the error says so."""

RETRY_AFTER_MAXIMUM_SECONDS = 3600.0
"""The longest wait that an error may ask for: an answer that names a day must not hold a run up until tomorrow."""

COUNT_MAXIMUM = 1_000_000_000
"""The largest count in a setting. Every store can keep it, and no use of one needs more."""

FACTOR_MAXIMUM = 1_000.0
"""The most that a wait may grow by from one try to the next."""

ErrorClass = type[BaseException] | str
"""An error as a policy names it: its class, or the class's name with or without its module."""

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failures of one agent are answered, as a graph pins it. The fields mean what those of `Retry` mean."""

    retries: int = 0
    backoff_seconds: float = 1.0
    backoff_factor: float = 2.0
    backoff_maximum_seconds: float = BACKOFF_MAXIMUM_SECONDS
    backoff_jitter: float = 0.5
    retry_on: tuple[str, ...] | None = None
    terminal: tuple[str, ...] = ()

    def allows(self, failures: int, errors: frozenset[str]) -> bool:
        """Whether another try follows the failure number `failures`, by an error that has these names."""
        if failures > self.retries or not errors.isdisjoint(self.terminal):
            return False
        return self.retry_on is None or not errors.isdisjoint(self.retry_on)

    def delay_seconds(self, failures: int, jitter: float) -> float:
        """
        How long to wait after so many failures: multiplied each time, capped, and shortened by a part that chance says.

        `jitter` is a random number from 0 to 1; it keeps tasks that failed together from coming back together ("equal
        jitter" in Brooker's "Exponential Backoff and Jitter", AWS 2015).
        """
        try:
            full = self.backoff_seconds * self.backoff_factor ** (failures - 1)
        except OverflowError:
            full = math.inf
        return min(full, self.backoff_maximum_seconds) * (1 - self.backoff_jitter * jitter)


@dataclass(frozen=True, slots=True)
class Retry:
    """
    How failures are answered: `@agent(retries=Retry(3, backoff="2s", terminal=(ValueError,)))`.

    `attempts` is how many further attempts a failed one gets. The first waits for `backoff` (None: not at all), each
    next one `factor` times as long, at most `maximum`; chance shortens a wait by up to the part `jitter` of it. With
    `on` only these errors are tried again, and those in `terminal` never are: classes or their names, which stand for
    subclasses too. Raises UsageError.
    """

    attempts: int
    backoff: Duration | None = "1s"
    factor: float = 2.0
    maximum: Duration = "1m"
    jitter: float = 0.5
    on: tuple[ErrorClass, ...] | None = None
    terminal: tuple[ErrorClass, ...] = ()

    def __post_init__(self) -> None:
        self.policy()

    def policy(self) -> RetryPolicy:
        """The same as plain data."""
        return RetryPolicy(
            retries=checked_count("attempts", self.attempts, 0),
            backoff_seconds=optional_seconds("backoff", self.backoff) or 0.0,
            backoff_factor=_checked_number("factor", self.factor, 1.0, FACTOR_MAXIMUM),
            backoff_maximum_seconds=_longest_wait_seconds(self.maximum),
            backoff_jitter=_checked_number("jitter", self.jitter, 0.0, 1.0),
            retry_on=None if self.on is None else _names("on", self.on),
            terminal=_names("terminal", self.terminal),
        )


class Wishes(NamedTuple):
    """What an error says about another try: its names, whether it rules one out, and the wait that it asks for."""

    names: frozenset[str]
    final: bool = False
    retry_after_seconds: float | None = None


def wishes_of(error: BaseException, wall_now: float) -> Wishes:
    """
    What an error says about another try.

    The wait is that of `RetryLater`, of an attribute `retry_after`, or of the headers of a `response` (as the errors of
    HTTP clients and model providers carry it); never longer than RETRY_AFTER_MAXIMUM_SECONDS. Raises UsageError for a
    `RetryLater` that names no duration.
    """
    names: set[str] = set()
    for kind in type(error).__mro__:
        names.update((kind.__name__, kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}"))
    if isinstance(error, RetryLater):
        after: float | None = seconds_of(error.after)
    else:
        after = _retry_after(error, wall_now)
    if after is not None:
        after = min(after, RETRY_AFTER_MAXIMUM_SECONDS)
    return Wishes(frozenset(names), isinstance(error, DoNotRetry), after)


def checked_count(name: str, value: Any, least: int) -> int:
    """A whole number that is neither too small nor beyond all sense. Raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name}={value!r} is not possible", remedy=f"Use a number from {least}.")
    if value > COUNT_MAXIMUM:
        raise UsageError(f"{name} is too large", remedy=f"Use a number up to {COUNT_MAXIMUM:,}.")
    return value


def _longest_wait_seconds(maximum: Duration) -> float:
    seconds = optional_seconds("maximum", maximum)
    if seconds is None:
        raise UsageError("maximum=None: a wait must end", remedy='Give the longest: "1h".')
    return seconds


def _checked_number(name: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UsageError(
            f"{name}={value!r} is not possible", remedy=f"Use a number from {least:g} to {most:,g}."
        )
    return float(value)


def _names(field: str, errors: Any) -> tuple[str, ...]:
    if isinstance(errors, str | type) or not isinstance(errors, tuple | list):
        raise UsageError(
            f"{field}={errors!r} is no tuple of errors",
            remedy=f'Write {field}=(TimeoutError, "RateLimitError").',
        )
    return tuple(dict.fromkeys(_error_name(field, each) for each in errors))


def _error_name(field: str, error: Any) -> str:
    if isinstance(error, type) and issubclass(error, BaseException):
        return f"{error.__module__}.{error.__qualname__}"
    if isinstance(error, str) and _NAME.fullmatch(error):
        return error
    raise UsageError(
        f"{field}: {error!r} is no error", remedy='Use an exception class, or its name: "httpx.ReadTimeout".'
    )


def _retry_after(error: BaseException, wall_now: float) -> float | None:
    """The wait that a foreign error asks for. Whatever it holds, reading it does no harm."""
    try:
        told = _seconds_told(getattr(error, "retry_after", None), wall_now)
        if told is not None:
            return told
        headers = getattr(getattr(error, "response", error), "headers", None)
        if headers is None:
            return None
        by_name = {str(name).lower(): value for name, value in headers.items()}
        milliseconds = _seconds_told(by_name.get("retry-after-ms"), wall_now)
        if milliseconds is not None:
            return milliseconds / 1000
        return _seconds_told(by_name.get("retry-after"), wall_now)
    except Exception:  # noqa: BLE001 - a property of somebody else's error; the failure is not worth another one
        return None


def _seconds_told(value: Any, wall_now: float) -> float | None:
    """Seconds from now: of a number, a number as text, a date as HTTP writes it, or a timedelta."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            moment = parsedate_to_datetime(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            value = max(moment.timestamp() - wall_now, 0.0)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (math.isfinite(value) and value >= 0)
    ):
        return None
    return float(value)
