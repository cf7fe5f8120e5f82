"""Words for what tasks wait for: people, readers, places; and for what somebody has paused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from segue.app.pools import WantedPlaces
from segue.app.views import PauseView, RunView, WaitingReview
from segue.cli.output import plain

WILL = {"reject": "it is rejected", "approve": "it is approved", "escalate": "others decide"}


def waits_of(view: RunView) -> list[tuple[str, str]]:
    """What each task of a run waits for: a person, a worker that reads what there is, places in pools."""
    told = [(task.task, waits_in_words(task.review)) for task in view.tasks if task.review is not None]
    told += [
        (task.task, reader_in_words(task.requires))
        for task in view.tasks
        if task.requires is not None and task.state == "ready"
    ]
    wanted: dict[str, list[WantedPlaces]] = {}
    for each in view.wanted_places:
        wanted.setdefault(each.task, []).append(each)
    by_words: dict[str, list[str]] = {}
    for task, places in wanted.items():
        by_words.setdefault(places_in_words(places), []).append(task)
    for words, tasks in by_words.items():
        told.append((tasks[0] if len(tasks) == 1 else f"{tasks[0]} and {len(tasks) - 1} more", words))
    return told


def places_in_words(wanted: Sequence[WantedPlaces]) -> str:
    """Places in pools: `2 of gpu, 1 of licence`."""
    return plain(", ".join(f"{each.places} of {each.pool}" for each in wanted))


def reader_in_words(requires: str) -> str:
    """A worker that is not there yet."""
    return f"a worker that reads {plain(requires)}"


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
