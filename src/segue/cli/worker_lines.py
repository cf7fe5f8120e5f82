"""What a worker says of itself: a line for each task on a terminal, JSON if that is wanted, little in a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.live import Live
from rich.text import Text

from segue.app.serving import Happening, Tally
from segue.cli.live import wants_picture
from segue.cli.output import SHORT_ID_CHARACTERS, STATE_STYLES, err, plain, print_json, results
from segue.demo.words import counted
from segue.domain.measures import seconds_in_words
from segue.domain.settings.durations import duration_text

FRAME_SECONDS = 0.1
"""The shortest time between two frames, so that drawing never holds the agents up."""

LINES_PER_FRAME = 20
"""So many tasks are named in a frame; the others are only counted."""

_STYLES = {
    "claimed": "cyan",
    "retry": "yellow",
    "handed_back": "yellow",
    "unreadable": "yellow",
    "lost": "bold yellow",
}


def lines_of(as_json: bool) -> Lines:
    """What fits to whoever reads."""
    if as_json:
        return JsonLines()
    return TerminalLines() if wants_picture(as_json) else Lines()


class Lines:
    """For a pipe: when it starts, when it is told to stop, when it has stopped; on standard error."""

    @contextlib.contextmanager
    def shown(self, tally: Tally) -> Iterator[None]:
        """Show what happens while the body runs."""
        yield

    def happened(self, happening: Happening) -> None:
        """A task was claimed, or its attempt has ended."""

    def started(
        self, store: str, worker: str, agents: Sequence[str], consumers: Sequence[str], concurrency: int
    ) -> None:
        """The worker has opened the store."""
        events = f"; events for {', '.join(consumers)}" if consumers else ""
        self._say(
            f"worker, process {os.getpid()}, takes tasks of {counted(len(agents), 'agent')} from {store}: "
            f"{', '.join(agents)}{events}"
        )

    def draining(self, tally: Tally, grace_seconds: float) -> None:
        """The worker was told to stop."""
        running = counted(tally.running, "task")
        self._say(
            f"stopping: {running} may go on for {duration_text(grace_seconds)}; "
            "told again, all of them are handed back at once"
            if tally.running
            else "stopping: nothing runs"
        )

    def stopped(self, tally: Tally) -> None:
        """The worker has closed the store."""
        self._say(f"worker, process {os.getpid()}, has stopped: {_summary(tally)}")

    def _say(self, text: str) -> None:
        err().print(plain(text), soft_wrap=True, markup=False)


class JsonLines(Lines):
    """Each event as an object on a line of standard output, and nothing else there: agents print to standard error."""

    def __init__(self) -> None:
        self._out = results()

    def happened(self, happening: Happening) -> None:
        given = {name: value for name, value in happening._asdict().items() if value is not None}
        self._print({"event": given.pop("what"), **given})

    def started(
        self, store: str, worker: str, agents: Sequence[str], consumers: Sequence[str], concurrency: int
    ) -> None:
        self._print(
            {
                "event": "started",
                "store": store,
                "worker": worker,
                "process": os.getpid(),
                "agents": list(agents),
                "consumers": list(consumers),
                "concurrency": concurrency,
            }
        )

    def draining(self, tally: Tally, grace_seconds: float) -> None:
        self._print({"event": "stopping", "running": tally.running, "grace_seconds": grace_seconds})

    def stopped(self, tally: Tally) -> None:
        self._print({"event": "stopped", **vars(tally)})

    def _print(self, value: dict[str, Any]) -> None:
        try:
            print_json(value, indented=False, file=self._out)
        except BrokenPipeError:
            # Nobody reads any more; the work goes on. Nor must Python complain when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


class TerminalLines(Lines):
    """A line for each attempt that ended, above one that says what runs now."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._live: Live | None = None
        self._ended: list[Happening] = []
        self._due: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def shown(self, tally: Tally) -> Iterator[None]:
        self._tally = tally
        with Live(console=err(), auto_refresh=False, transient=True) as self._live:
            try:
                yield
            finally:
                self._draw()

    def happened(self, happening: Happening) -> None:
        if happening.what != "claimed":
            self._ended.append(happening)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(FRAME_SECONDS, self._draw)

    def _draw(self) -> None:
        self._due, live = None, self._live
        if live is None:
            return
        ended, self._ended = self._ended, []
        for happening in ended[:LINES_PER_FRAME]:
            live.console.print(_line(happening), soft_wrap=True)
        if len(ended) > LINES_PER_FRAME:
            live.console.print(Text(f"  and {len(ended) - LINES_PER_FRAME} more", style="dim"))
        live.update(Text(f"{self._tally.running} running · {_summary(self._tally)}", style="dim"))
        live.refresh()

    def _say(self, text: str) -> None:
        self._draw()
        if self._live is not None:
            self._live.console.print(plain(text), soft_wrap=True, markup=False)


def _line(happening: Happening) -> Text:
    at = datetime.fromtimestamp(happening.at).astimezone()
    style = _STYLES.get(happening.what) or STATE_STYLES.get(happening.what, "")
    return Text.assemble(
        (f"{at:%H:%M:%S}  ", "dim"),
        (f"{happening.what.replace('_', ' '):<12}", style),
        f" {plain(happening.task)}",
        (f"  {happening.run[:SHORT_ID_CHARACTERS]}", "dim"),
        f"  {seconds_in_words(happening.seconds or 0.0)}",
        f"  attempt {happening.attempt}" if happening.attempt > 1 else "",
        f"  {plain(happening.message)}" if happening.message else "",
    )


def _summary(tally: Tally) -> str:
    told = [f"{counted(tally.settled, 'task')} settled"]
    if tally.failed:
        told[0] += f" ({tally.failed} failed)"
    if tally.again:
        told.append(f"{tally.again} to be tried again")
    if tally.handed_back:
        told.append(f"{tally.handed_back} handed back")
    if tally.lost:
        told.append(f"{tally.lost} lost to others")
    return ", ".join(told)
