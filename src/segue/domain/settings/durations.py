"""Durations as people write them: `"30s"`, `"1h30m"`, `2.5`, `timedelta(minutes=2)`; inside they are seconds."""

from __future__ import annotations

import re
from datetime import timedelta

from segue.errors import UsageError

Duration = str | float | timedelta
"""A text such as "30s", a number of seconds, or a timedelta."""

LONGEST_DAYS = 36_500
"""The longest duration: a hundred years after now is still a date to every library."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_WHOLE = re.compile(rf"\s*(?:{_PART.pattern})+")


def seconds_of(duration: Duration) -> float:
    """The seconds of a duration, which must be longer than none. Raises UsageError naming what was given."""
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    elif isinstance(duration, str):
        if not _WHOLE.fullmatch(duration):
            raise UsageError(
                f"{duration!r} is not a duration",
                remedy='Write it like "500ms", "30s", "2m", "1h30m" or "1d".',
            )
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
    elif type(duration) in (int, float):
        seconds = duration
    else:
        raise UsageError(
            f"{duration!r} is not a duration",
            remedy='Use a text like "30s", a number of seconds, or a timedelta.',
        )
    if not seconds > 0:
        raise UsageError(f"the duration {duration!r} is not longer than none", remedy="Give a positive one.")
    if seconds > LONGEST_DAYS * _UNITS["d"]:
        given = "this number of seconds" if isinstance(duration, int) else f"the duration {duration!r:.40}"
        raise UsageError(
            f"{given} is longer than {LONGEST_DAYS:,} days",
            remedy="Give a shorter one, or None where no limit is wanted.",
        )
    return seconds


def named_seconds(name: str, duration: Duration) -> float:
    """The same for a setting or an option, which the error names."""
    try:
        return seconds_of(duration)
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}", remedy=error.remedy) from None


def duration_text(seconds: float) -> str:
    """Seconds as people write them, in the two largest units that matter: `250ms`, `1.5s`, `2m 30s`, `1h`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    whole = round(seconds)
    for unit, below in (("d", "h"), ("h", "m"), ("m", "s")):
        size, size_below = round(_UNITS[unit]), round(_UNITS[below])
        if whole >= size:
            rest = whole % size // size_below
            return f"{whole // size}{unit} {rest}{below}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"
