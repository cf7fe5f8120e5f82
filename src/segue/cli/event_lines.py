"""What `segue events` prints: an event on a line, for people or for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from segue.cli.output import STATE_STYLES, plain
from segue.cli.pictures import fact_text
from segue.domain.envelope.stored import data_of
from segue.domain.rows import Event


def print_event(console: Console, event: Event, *, with_run: bool) -> None:
    """One event on one line, as soon as it is known."""
    at = datetime.fromtimestamp(event.at).astimezone()
    line = Text.assemble(
        (f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", "dim"),
        (f"  {event.run}" if with_run else ""),
        f" {event.sequence:>5}  ",
        (plain(event.name), STATE_STYLES.get(event.name.rpartition(".")[2], "")),
    )
    if event.task is not None and event.task.endswith("]"):
        line.append(f"  {plain(event.task)}")
    if event.epoch is not None and event.epoch > 1:
        line.append(f"  epoch {event.epoch}")
    if event.data is not None:
        line.append(f"  {_data_in_words(data_of(event))}", style="dim")
    console.print(line, soft_wrap=True)


def event_document(event: Event) -> dict[str, Any]:
    """An event as `--json` prints it."""
    return {**event._asdict(), "data": data_of(event)}


def _data_in_words(data: dict[str, Any]) -> str:
    rest = {key: value for key, value in data.items() if key != "traceback" and value not in (None, "")}
    told = ""
    if "kind" in rest and "message" in rest:
        told = f"{rest.pop('kind')}: {rest.pop('message')}  "
    return plain(told + ", ".join(f"{key}: {fact_text(value)}" for key, value in rest.items())).rstrip()
