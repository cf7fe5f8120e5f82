"""The picture of a run that fills up while it runs: a line for each node of its graph."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from segue.app.host import Host
from segue.app.progress import NodeProgress, Progress
from segue.app.reading import read_graph
from segue.app.working import Totals
from segue.cli.output import STATE_STYLES, err, plain, results
from segue.demo.words import counted
from segue.domain.measures import bytes_in_words, seconds_in_words
from segue.domain.records import PAUSED_ITSELF

FRAME_SECONDS = 0.1
"""The shortest time between two frames, so that drawing never holds the agents up."""

STILL_SECONDS = 1.0
"""How often the clocks in the picture move while nothing happens."""

CURSOR_CELLS = 5
"""Room at the right for an echoed ^C, which would otherwise wrap the last line and leave a line behind."""

_SIGNS = {
    "waiting": "·",
    "ready": "○",
    "paused": "‖",
    "claimed": "●",
    "complete": "✓",
    "failed": "✗",
    "dead": "✗",
    "needs_review": "?",
    "in_doubt": "?",
    "skipped": "–",
    "cancelled": "–",
}
_BAR_CELLS = 8


def wants_picture(as_json: bool) -> bool:
    """Whether somebody is there to see a picture: not in a pipe, and not where JSON was asked for."""
    return not as_json and results().isatty() and sys.stderr.isatty()


@contextlib.asynccontextmanager
async def picture_of(host: Host, run: str, wanted: bool) -> AsyncIterator[None]:
    """Show a run while the body waits for it, and leave its last state on the screen."""
    if not wanted:
        yield
        return
    record = await host.read_run(run)
    progress = Progress(host.store, record, await read_graph(host.store, record))
    console = err()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        watcher = asyncio.get_running_loop().create_task(_watch(host, progress, live), name="segue-picture")
        try:
            yield
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
            await progress.look()
            live.update(
                picture(progress, host.clock.wall(), console.width - CURSOR_CELLS, None), refresh=True
            )


async def _watch(host: Host, progress: Progress, live: Live) -> None:
    seen = host.store.notifier.count
    while True:
        await progress.look()
        console = live.console
        drawn = picture(progress, host.clock.wall(), console.width - CURSOR_CELLS, console.height - 3)
        live.update(drawn, refresh=True)
        await host.clock.sleep(FRAME_SECONDS)
        seen = await host.store.notifier.wait(seen, STILL_SECONDS)


def picture(progress: Progress, now: float, width: int, most_lines: int | None) -> RenderableType:
    """A run as it stands; at most so many lines, in which what happens now has precedence."""
    record = progress.record
    ended = record.ended_at if record.ended_at is not None else now
    state = "paused" if record.state == "running" and record.paused else record.state
    head = Text.assemble(
        (plain(record.workflow), "bold"),
        (f"  {record.run}  ", "dim"),
        (state.replace("_", " "), STATE_STYLES[state]),
        (f"  {seconds_in_words(max(ended - record.submitted_at, 0.0))}", "dim"),
    )
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), width=width)
    grid.add_column(no_wrap=True, max_width=30, overflow="ellipsis")
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    grid.add_column(no_wrap=True, justify="right", min_width=8)
    grid.add_column(no_wrap=True, justify="right", min_width=8)
    shown = _most_interesting(progress.nodes, most_lines)
    for node in shown:
        grid.add_row(*_cells(progress, node, now))
    left_out = len(progress.nodes) - len(shown)
    more = [Text(f"  and {counted(left_out, 'more node')}", style="dim")] if left_out else []
    return Group(head, grid, *more)


def totals_line(totals: Totals) -> Text:
    """What a run took, in one line of a narrow terminal."""
    return Text.assemble(
        "wall ",
        (seconds_in_words(totals.wall_seconds), "bold"),
        f" · working {seconds_in_words(totals.working_seconds)}",
        f" · coordinating {seconds_in_words(totals.coordinating_seconds)}",
        f" · {counted(totals.handoffs, 'hand-off')} · {bytes_in_words(totals.handoff_bytes)}",
    )


def _most_interesting(nodes: Sequence[NodeProgress], most: int | None) -> list[NodeProgress]:
    """The nodes to show, in their order: those that run or failed first, then what comes next, then what is done."""
    if most is None or len(nodes) <= most:
        return list(nodes)
    rank = {
        "failed": 0,
        "dead": 0,
        "needs_review": 0,
        "in_doubt": 0,
        "claimed": 1,
        "ready": 2,
        "paused": 2,
        "waiting": 3,
    }
    ranked = sorted(nodes, key=lambda node: rank.get(node.state, 4))
    chosen = {node.name for node in ranked[: max(most - 1, 1)]}
    return [node for node in nodes if node.name in chosen]


def _cells(progress: Progress, node: NodeProgress, now: float) -> list[Text]:
    state = node.state
    style = STATE_STYLES[state]
    seconds = node.seconds(now)
    size = sum(node.sizes.values())
    return [
        Text.assemble(" " * min(node.layer, 6), (f"{_SIGNS[state]} ", style), plain(node.name)),
        _bar(node) if node.mapped else Text(""),
        Text(_state_in_words(progress, node), style=style),
        Text("" if seconds is None else seconds_in_words(seconds)),
        Text(bytes_in_words(size) if size else "", style="dim"),
    ]


def _bar(node: NodeProgress) -> Text:
    """How far a mapped node is: `━━━━━━━━ 3/12`."""
    total = len(node.own)
    filled = _BAR_CELLS * node.at_rest // total if total else _BAR_CELLS
    return Text.assemble(
        ("━" * filled, "green"), ("─" * (_BAR_CELLS - filled), "dim"), f" {node.at_rest}/{total}"
    )


def _awaited(node: NodeProgress) -> list[str]:
    """What those of its tasks wait for that wait in the middle of their work."""
    return list(dict.fromkeys(name for item in sorted(node.parked) for name in node.tasks[item].awaits))


def _state_in_words(progress: Progress, node: NodeProgress) -> str:
    """`running`, `3 running, 1 failed`, `waits for price, risks`."""
    states = node.states
    if node.state == "waiting":
        missing = progress.missing(node)
        waits = f"waits for {', '.join(plain(name) for name in missing)}" if missing else "waiting"
        return f"{waits}, and is paused" if any(task.hold & PAUSED_ITSELF for task in node.own) else waits
    parked = len(node.parked)
    running = states["claimed"] - parked
    again = max((task.attempt for task in node.own if task.state in ("claimed", "ready")), default=1)
    words = []
    for count, word in (
        (running, "running"),
        (parked, f"awaits {', '.join(map(plain, _awaited(node)))}".rstrip()),
        (states["ready"], "ready"),
        (states["paused"], "paused"),
        (states["failed"], "failed"),
        (states["dead"], "dead"),
        (states["needs_review"], "needs review"),
        (states["in_doubt"], "in doubt"),
        (states["cancelled"], "cancelled"),
    ):
        if count > 0:
            words.append(f"{count} {word}" if len(node.own) > 1 else word)
    if not words:
        words.append(node.state if len(node.own) != 0 else "nothing to map")
    skipped = states["skipped"] if node.state == "complete" else 0
    if skipped:
        words.append(f"{skipped} skipped")
    return ", ".join(words) + (f" (attempt {again})" if again > 1 else "")
