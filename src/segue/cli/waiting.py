"""Words for what waits for a person: whom, until when, and what happens then; and for what somebody has paused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from segue.app.views import PauseView, WaitingReview
from segue.cli.output import plain

WILL = {"reject": "it is rejected", "approve": "it is approved", "escalate": "others decide"}


def waits_in_words(waiting: WaitingReview) -> str:
    """Whom a task waits for, and what happens when nobody decides."""
    then = "" if waiting.then is None else f", then {WILL[waiting.then]}"
    return plain(f"{whom(waiting.by)}{until(waiting.until)}{then}")


def whom(names: Sequence[str]) -> str:
    """Those who may decide."""
    return " or ".join(names) if names else "anybody"


def until(moment: float | None) -> str:
    """The end of the time for a decision, if there is one."""
    return "" if moment is None else f" until {datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"


def paused_in_words(pause: PauseView) -> str:
    """Who paused something, why, and until when: `by Ana until check: wait for the lawyers`."""
    ends = "" if pause.until is None else f" until {pause.until} has settled"
    reason = f": {pause.reason}" if pause.reason else ""
    return plain(f"by {pause.by}{ends}{reason}")
