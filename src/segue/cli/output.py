"""
The way to the screen: JSON, tables, errors.

Whatever comes from a store may hold anything an agent produced: it is shown without control characters and is never
read as markup.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal, ParamSpec, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from segue.cli.leaving import leave_soon
from segue.errors import ReviewRefused, RunError, SegueError

P = ParamSpec("P")

INTERRUPTED = 130
PIPE_WIDTH = 100_000
"""Nothing is cut or wrapped in a pipe: whoever reads there has no screen."""

EXIT_CODES = (
    (0, "done"),
    (1, "another error"),
    (2, "a mistake in the command, the code or the input; nothing was done"),
    (3, "a value cannot cross a hand-off, or code could not read what is there"),
    (4, "the store cannot be used"),
    (5, "the run failed"),
    (6, "the run was cancelled"),
    (7, "the run waits for a person's decision"),
    (INTERRUPTED, "interrupted with Ctrl-C; runs are durable and can be resumed"),
)

STORE_VARIABLE = "SEGUE_STORE"

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, errors included.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")]
StoreOption = Annotated[
    str,
    typer.Option(
        "--store", envvar=STORE_VARIABLE, metavar="URL", help="Where runs are kept: a path or a URL."
    ),
]
DEFAULT_STORE = "segue.db"

SHORT_ID_CHARACTERS = 13
"""The part of a run's id that is its time: unique for runs that start in different milliseconds."""

STATE_STYLES = {
    "waiting": "dim",
    "ready": "yellow",
    "paused": "bold yellow",
    "claimed": "cyan",
    "running": "cyan",
    "complete": "green",
    "consumed": "green",
    "failed": "bold red",
    "dead": "bold red",
    "needs_review": "bold magenta",
    "in_doubt": "bold magenta",
    "begun": "cyan",
    "done": "green",
    "withdrawn": "dim",
    "skipped": "dim",
    "cancelled": "dim",
    "expanded": "dim",
}

_LINES_AND_TABS = re.compile(r"([\n\t])")
_C1 = re.compile("[\x7f-\x9f\u2028\u2029]")


_kept: list[TextIO] = []
"""Standard output, while a command runs."""


def results() -> TextIO:
    """Standard output as whoever called `segue` has it: what it was called for, and nothing else, goes there."""
    return _kept[-1] if _kept else sys.stdout


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Keep standard output for results: what the user's code prints, in whatever process, goes to standard error."""
    if sys.stdout is None:  # closed by whoever called, who wants to hear nothing
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it stays open as long as the process
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file: what runs here can be kept apart all the same
        _kept.append(sys.stdout)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            _kept.pop()
        return
    sys.stdout.flush()
    with os.fdopen(os.dup(number), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors) as stream:
        os.dup2(sys.stderr.fileno(), number)
        _kept.append(stream)
        try:
            yield
        finally:
            _kept.pop()
            sys.stdout.flush()
            os.dup2(stream.fileno(), number)


def out() -> Console:
    """The console on standard output."""
    stream = results()
    return Console(file=stream, width=_width(stream.isatty()), highlight=False, soft_wrap=False)


def err() -> Console:
    """The console on standard error."""
    return Console(stderr=True, width=_width(sys.stderr.isatty()), highlight=False)


def _width(terminal: bool) -> int | None:
    return None if terminal else PIPE_WIDTH


def draw(picture: RenderableType) -> None:
    """Print a picture; in a pipe without the spaces that a table puts at the ends of its lines."""
    console = out()
    if console.is_terminal:
        console.print(picture)
        return
    with console.capture() as captured:
        console.print(picture)
    results().write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def plain(text: str) -> str:
    """Text on one line; what a terminal might obey is escaped: controls, line ends, changes of direction."""
    if text.isprintable():
        return text
    return "".join(sign if _is_harmless(sign) else sign.encode("unicode_escape").decode() for sign in text)


def _is_harmless(sign: str) -> bool:
    """Whether a terminal only draws a sign: also spaces of any width, and what joins letters and emoji."""
    return sign.isprintable() or sign in "\u200c\u200d" or unicodedata.category(sign) == "Zs"


def block(text: str) -> str:
    """Text on its own lines and with its tabs, otherwise as `plain`."""
    return "".join(part if part in "\n\t" else plain(part) for part in _LINES_AND_TABS.split(text))


def styled(state: str) -> Text:
    """The word for a state, in its colour."""
    return Text(state.replace("_", " "), style=STATE_STYLES.get(state, ""))


def print_json(value: Any, *, indented: bool = True, file: TextIO | None = None) -> None:
    """Print views or plain values as JSON: on one line in a pipe, indented on a terminal if that is wanted."""
    file = results() if file is None else file
    indent = 2 if indented and file.isatty() else None
    text = json.dumps(value, default=asdict, ensure_ascii=False, indent=indent)
    file.write(_C1.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
    file.flush()


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], flexible: str, width: int) -> Table:
    """
    A table without lines, `width` wide at most. `>` before a column's name sets it to the right.

    Where there is no room only the column `flexible` is cut, and others are left out, the last ones first. Cells are
    shown as they are: make them safe before.
    """
    names = [column.removeprefix(">") for column in columns]
    widths = [
        max([cell_len(name), *(cell_len(str(row[index])) for row in rows)])
        for index, name in enumerate(names)
    ]
    place = names.index(flexible)
    shown = list(range(len(names)))
    while True:
        rest = sum(widths[index] for index in shown if index != place) + 2 * (len(shown) - 1)
        others = [index for index in shown if index not in (0, place)]
        if rest + len(flexible) <= width or not others:
            break
        shown.remove(others[-1])
    widths[place] = max(min(widths[place], width - rest), len(flexible))
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index in shown:
        side: Literal["left", "right"] = "right" if columns[index].startswith(">") else "left"
        drawn.add_column(names[index], justify=side, no_wrap=True, overflow="ellipsis", width=widths[index])
    for row in rows:
        cells = (row[index] for index in shown)
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    return drawn


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """
    A command whose errors are told in one clear line with a remedy, and whose exit code says which kind they are.

    It must have the parameters `as_json` and `debug`.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json, debug = bool(kwargs["as_json"]), bool(kwargs["debug"])
        try:
            with _apart():
                command(*args, **kwargs)
        except SegueError as error:
            tell(error, as_json, debug)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            leave_soon(INTERRUPTED)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read has seen enough (`segue events | head`); Python must not complain when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the last one who can say something helpful
            tell(_unexpected(error), as_json, debug)
            raise typer.Exit(1) from None

    return run


def _unexpected(error: Exception) -> SegueError:
    told = SegueError(
        f"unexpected {type(error).__name__}: {error}",
        remedy="Run the command again with --debug and report what it shows.",
    )
    told.__cause__ = error
    return told


def tell(error: SegueError, as_json: bool, debug: bool = False) -> None:
    """Say on standard error what went wrong and what to do about it."""
    shown = "".join(traceback.format_exception(error)) if debug else None
    if as_json:
        told: dict[str, Any] = {
            "error": type(error).__name__,
            "message": error.message,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
        }
        if isinstance(error, RunError | ReviewRefused):
            told["run"] = error.run
        if isinstance(error, ReviewRefused):
            told |= {"task": error.task, "reason": error.reason}
        if shown:
            told["traceback"] = shown
        sys.stderr.write(json.dumps(told) + "\n")
        return
    console = err()
    if shown:
        console.print(Text(block(shown)))
    console.print(Text.assemble(("error: ", "bold red"), block(error.message)), soft_wrap=True)
    if error.remedy:
        console.print(Text(f"  {block(error.remedy)}"), soft_wrap=True)
