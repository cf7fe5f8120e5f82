"""Durations are read as people write them, and refused where they mean nothing."""

from datetime import timedelta

import pytest

from segue.domain.settings.durations import duration_text, seconds_of
from segue.errors import UsageError


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("30s", 30.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        (" 1.5 h ", 5400.0),
        ("1d", 86400.0),
        (2, 2.0),
        (0.25, 0.25),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_a_duration_is_read(duration, seconds):
    """Texts, numbers and timedeltas all become seconds."""
    assert seconds_of(duration) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "duration",
    [
        "",
        "30",
        "soon",
        "30 seconds",
        "-3s",
        "1h,2m",
        0,
        -1,
        0.0,
        float("nan"),
        float("inf"),
        "0s",
        True,
        None,
        [3],
    ],
)
def test_what_is_no_duration_is_refused(duration):
    """Anything else is refused with what was given and a remedy."""
    with pytest.raises(UsageError) as caught:
        seconds_of(duration)
    assert repr(duration) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0021, "2.1ms"),
        (0.25, "250ms"),
        (1.5, "1.5s"),
        (59.0, "59s"),
        (60, "1m"),
        (150, "2m 30s"),
        (3600, "1h"),
        (5400, "1h 30m"),
        (90000, "1d 1h"),
    ],
)
def test_seconds_are_written(seconds, text):
    """Seconds are written in the two largest units that matter."""
    assert duration_text(seconds) == text
