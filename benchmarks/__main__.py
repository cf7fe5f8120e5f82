"""Measure Segue beside raw SQLite and LangGraph: `python -m benchmarks --help`."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import goals, machine, parts, process_rows, workloads
from benchmarks.lanes import ROOT, Lane, LaneFailed
from benchmarks.report import Report, lines_of, show
from benchmarks.workloads import FULL, PEER, SMOKE, Figures, Sizes

ALONE = tuple(workloads.WORKLOADS)
TOGETHER = tuple(process_rows.WORKLOADS)
WORKLOADS = {**workloads.WORKLOADS, **process_rows.WORKLOADS}
SCALE = "scale"
SCALE_TITLE = "100,000 finished runs in the file against none; memory after 10,000 and after 100,000 runs"


@dataclass(frozen=True)
class Row:
    """One system of the table: its promise, how it is started, and what it is measured on."""

    system: str
    promise: str
    module: str
    arguments: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ALONE
    sizes: Sizes = FULL


SEGUE_ROWS = (
    Row(goals.FAST, "survives kill -9", "segue_rows", ("fast",)),
    Row(goals.DURABLE, "survives power loss", "segue_rows", ("durable",)),
    Row(
        goals.SPECULATIVE,
        "survives power loss; an agent may start while the hand-off to it is still on its way to disk",
        "segue_rows",
        ("durable", "speculative"),
        workloads=("W1",),
    ),
)
PROCESS_ROWS = (
    Row(goals.FAST, "survives kill -9", "process_rows", ("fast",), TOGETHER),
    Row(goals.DURABLE, "survives power loss", "process_rows", ("durable",), TOGETHER),
)
RAW_WORKLOADS = ("W1", "W3", "W4")
RAW_ROWS = (
    Row(goals.RAW_FAST, "the limit of fast: commits only", "raw_rows", ("fast",), RAW_WORKLOADS),
    Row(goals.RAW_DURABLE, "the limit of durable: commits only", "raw_rows", ("durable",), RAW_WORKLOADS),
)
PEER_PROMISE = "AsyncSqliteSaver, durability=sync: survives power loss"
PEER_ROW = Row(goals.LANGGRAPH, PEER_PROMISE, "langgraph_rows", sizes=PEER)
SCALE_ROW = Row(goals.FAST, "survives kill -9", "scale", workloads=(SCALE,))


class Benchmark:
    """The rows' lanes, and the repetitions in which they take turns."""

    def __init__(self, folder: Path, smoke: bool) -> None:
        self.results: dict[tuple[str, str], list[Figures]] = {}
        self.notes: list[str] = []
        self.rows: list[Row] = []
        self._folder = folder
        self._smoke = smoke
        if smoke:
            self.notes.append("smoke: the sizes are too small for the figures and the goals to say anything")
        self._lanes: dict[Row, Lane] = {}

    def start(self, stack: ExitStack, row: Row, interpreter: Path, *arguments: str) -> None:
        """Start a row's process; `stack` ends it."""
        command = [str(interpreter), "-m", f"benchmarks.{row.module}", *row.arguments, *arguments]
        self._lanes[row] = stack.enter_context(Lane(row.system, command))
        self.rows.append(row)

    def start_raw(self, stack: ExitStack, interpreter: Path) -> None:
        """Start the raw rows with as many pages a commit as a hand-off of Segue was just seen to dirty."""
        pages = round(self._measure(SEGUE_ROWS[1], "pages")["pages"])
        self.notes.append(f"a hand-off of Segue dirties {pages} pages in its commit; so does a raw commit")
        for row in RAW_ROWS:
            self.start(stack, row, interpreter, str(pages))

    def repeat(self, workloads: Sequence[str], times: int) -> None:
        """Measure every row on every workload this often, by turns, each time beginning with another row."""
        for workload in workloads:
            rows = [row for row in self.rows if workload in row.workloads]
            for row in rows:
                self.results[workload, row.system] = []
            for number in range(times):
                first = number % len(rows)
                for row in rows[first:] + rows[:first]:
                    progress(f"{workload}, repetition {number + 1} of {times}: {row.system}")
                    self.results[workload, row.system].append(self._measure(row, workload))

    def sizes_of(self, row: Row) -> Sizes:
        """How often this row runs each shape."""
        return SMOKE if self._smoke else row.sizes

    def _measure(self, row: Row, workload: str) -> Figures:
        with tempfile.TemporaryDirectory(prefix="segue-bench-", dir=self._folder) as folder:
            return self._lanes[row].measure(workload, self.sizes_of(row), Path(folder))


def run(options: argparse.Namespace) -> Report:
    """Measure what the options ask for. Raises LaneFailed when a system cannot be measured."""
    benchmark = Benchmark(options.folder, options.smoke)
    interpreter = Path(sys.executable)
    with ExitStack() as stack:
        if options.scale:
            benchmark.start(stack, SCALE_ROW, interpreter)
            benchmark.repeat([SCALE], times=1)
        else:
            for row in SEGUE_ROWS:
                benchmark.start(stack, row, interpreter)
            benchmark.start_raw(stack, interpreter)
            if options.langgraph_python.exists():
                benchmark.start(stack, PEER_ROW, options.langgraph_python)
            else:
                benchmark.notes.append(f"LangGraph was not measured: {options.langgraph_python} is missing")
            for row in PROCESS_ROWS:
                benchmark.start(stack, row, interpreter)
            benchmark.repeat(options.only, options.repeat)
    measured = [SCALE] if options.scale else options.only
    return Report(
        machine=machine.facts(options.folder),
        settings={
            "repetitions": 1 if options.scale else options.repeat,
            "sizes": {row.system: asdict(benchmark.sizes_of(row)) for row in benchmark.rows},
        },
        systems={row.system: row.promise for row in benchmark.rows},
        workloads={name: WORKLOADS[name].title if name in WORKLOADS else SCALE_TITLE for name in measured},
        notes=benchmark.notes,
        lines=lines_of(benchmark.results),
    )


def run_parts(options: argparse.Namespace) -> parts.Parts:
    """Take the hops of some chains apart."""
    progress("W1, part by part")
    with tempfile.TemporaryDirectory(prefix="segue-bench-", dir=options.folder) as folder:
        return asyncio.run(parts.measure(SMOKE if options.smoke else FULL, Path(folder)))


def progress(text: str) -> None:
    """Say on stderr what is under way: on a terminal in one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ends the process with 2 and a remedy when it is wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="workloads, such as W1,W3 (default: all)")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each workload (default: 5)")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of the table")
    parser.add_argument("--output", type=Path, help="also write the JSON to this file")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--scale", action="store_true", help=f"instead of these: {SCALE_TITLE} (minutes)")
    instead.add_argument("--parts", action="store_true", help="instead of these: a hop of W1 by its parts")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: whether it runs, not how fast")
    parser.add_argument("--folder", type=Path, default=machine.default_folder(), help="where to write")
    parser.add_argument(
        "--langgraph-python",
        type=Path,
        default=ROOT / ".venv-langgraph" / "bin" / "python",
        help="interpreter of the environment that has LangGraph (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    options.only = [name.strip() for name in options.only.split(",")]
    unknown = [name for name in options.only if name not in WORKLOADS]
    if unknown:
        parser.error(f"--only: no workload {unknown[0]!r}; there are {', '.join(WORKLOADS)}")
    if options.repeat < 1:
        parser.error("--repeat: must be at least 1")
    if not options.folder.is_dir():
        parser.error(f"--folder: {options.folder} is not a folder; make it, or name one that exists")
    if options.output and not options.output.parent.is_dir():
        parser.error(f"--output: {options.output.parent} is not a folder; make it, or name one that exists")
    return options


def main(arguments: Sequence[str]) -> int:
    """Measure, report, and return the exit code: 0, 1 when a system could not be measured, 130 when interrupted."""
    options = parse(arguments)
    try:
        report = run_parts(options) if options.parts else run(options)
    except LaneFailed as error:
        print(f"\nbenchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbenchmarks: interrupted", file=sys.stderr)
        return 130
    if sys.stderr.isatty():
        progress("")
    text = json.dumps(report.as_json(), indent=2)
    if options.output:
        options.output.write_text(text + "\n")
    if options.json:
        print(text)
    elif isinstance(report, parts.Parts):
        parts.show(report, sys.stdout)
    else:
        show(report, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
