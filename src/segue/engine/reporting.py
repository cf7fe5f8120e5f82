"""`ctx.progress`: an agent says that it does not hang, and how far it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from segue.domain.envelope.limits import PROGRESS_CHARACTERS
from segue.domain.envelope.payload import storable_text
from segue.domain.envelope.waiting import Action, Waitable
from segue.errors import UsageError

if TYPE_CHECKING:
    from segue.engine.attempt import Running

REPORT_SECONDS = 0.5
"""At most one report of an attempt is written in this time: an agent may say how far it is as often as it likes."""


def report_of(running: Running, message: str | None, fraction: float | None) -> Waitable[None]:
    """A report of a running attempt. Raises UsageError for what says nothing."""
    where = f"progress of {running.facts.task}"
    if message is not None and not isinstance(message, str):
        raise UsageError(
            f"{where}: {message!r} is no text", remedy='Say it in words: ctx.progress("page 3").'
        )
    if fraction is not None and not (type(fraction) in (int, float) and 0 <= fraction <= 1):
        raise UsageError(
            f"{where}: the fraction {fraction!r} is not from 0 to 1",
            remedy="Give the part that is done, such as 0.3.",
        )
    said: dict[str, object] = {}
    if message is not None:
        said["message"] = storable_text(message, PROGRESS_CHARACTERS)
    if fraction is not None:
        said["fraction"] = float(fraction)
    data = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    notebook = running.notebook
    return Action(where, lambda: notebook.report(data), notebook.block)
