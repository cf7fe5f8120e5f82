"""
What is reported of attempts that run: `ctx.progress`, by which an agent says that it does not hang and how far it is,
and that an attempt is slow.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from segue.domain.envelope.limits import PROGRESS_CHARACTERS
from segue.domain.envelope.payload import storable_text
from segue.domain.envelope.waiting import Action, Waitable
from segue.errors import UsageError
from segue.ports.store import Note, Store

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Attempt, Running

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


class SlowReports:
    """Notes, once for each attempt, that it runs for longer than its agent should; it goes on."""

    def __init__(self, store: Store, on_failure: Callable[[BaseException], None]) -> None:
        self._store = store
        self._on_failure = on_failure
        self._writing: set[asyncio.Task[None]] = set()

    def begin(self, attempt: Attempt) -> None:
        """Write it down beside the attempt."""
        task = asyncio.get_running_loop().create_task(self._write(attempt), name="segue-slow")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def stop(self) -> None:
        """Write nothing more."""
        for task in self._writing:
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _write(self, attempt: Attempt) -> None:
        if attempt.confirmed is not None:
            await asyncio.shield(attempt.confirmed)
        data = json.dumps({"seconds": attempt.terms.settings.slow_seconds}, separators=(",", ":"))
        try:
            await self._store.note([Note(attempt.token, attempt.claim.agent, "slow", None, data)])
        except Exception as error:  # noqa: BLE001 - as in every service: whoever runs the engine hears of it
            self._on_failure(error)
