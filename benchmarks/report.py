"""The figures as a table for people and as JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TextIO

from rich.console import Console
from rich.table import Table

from benchmarks import goals
from benchmarks.goals import GOALS, LANGGRAPH, Results, Verdict
from benchmarks.machine import Facts, told

RAW_OF = {
    goals.FAST: goals.RAW_FAST,
    goals.DURABLE: goals.RAW_DURABLE,
    goals.SPECULATIVE: goals.RAW_DURABLE,
}
"""The limit of each system of ours."""
MORE_IS_BETTER = frozenset({"tasks_per_s", "handoffs_per_s"})
UNITS = {"us": "µs", "ms": "ms", "mb": "MB", "s": "/s", "percent": "%"}
COLUMNS = ("workload", "figure", "system", "median", "min to max", "to raw", "to LangGraph", "goals")


@dataclass(frozen=True)
class Line:
    """One figure of one system on one workload, over all repetitions.

    `times_raw` and `times_langgraph` say how many times better (above 1) or worse (below 1) the median is.
    """

    workload: str
    figure: str
    unit: str
    system: str
    median: float
    minimum: float
    maximum: float
    repetitions: int
    times_raw: float | None
    times_langgraph: float | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Report:
    """Everything one run of the benchmark found; the fields are the fields of its JSON."""

    machine: Facts
    settings: Mapping[str, object]
    systems: Mapping[str, str]
    """What each system promises about a hand-off that it acknowledged."""
    workloads: Mapping[str, str]
    notes: Sequence[str]
    lines: Sequence[Line]

    def as_json(self) -> dict[str, object]:
        """The report as plain data."""
        return asdict(self)


def lines_of(results: Results) -> list[Line]:
    """Sum up the repetitions: figure by figure, the systems of one figure beneath each other."""
    lines = []
    for workload in dict.fromkeys(workload for workload, _ in results):
        systems = [system for name, system in results if name == workload]
        figures = dict.fromkeys(figure for system in systems for figure in results[workload, system][0])
        for figure in figures:
            lines += [
                _line(results, workload, figure, system)
                for system in systems
                if figure in results[workload, system][0]
            ]
    return lines


def _line(results: Results, workload: str, figure: str, system: str) -> Line:
    values = [figures[figure] for figures in results[workload, system]]
    raw = RAW_OF.get(system)
    held = [goal for goal in GOALS if (goal.workload, goal.figure, goal.system) == (workload, figure, system)]
    return Line(
        workload=workload,
        figure=figure,
        unit=UNITS[figure.rpartition("_")[2]],
        system=system,
        median=median(values),
        minimum=min(values),
        maximum=max(values),
        repetitions=len(values),
        times_raw=_times_better(results, workload, figure, system, raw) if raw else None,
        times_langgraph=_times_better(results, workload, figure, system, LANGGRAPH) if raw else None,
        verdicts=tuple(goal.verdict(results) for goal in held),
    )


def _times_better(results: Results, workload: str, figure: str, system: str, other: str) -> float | None:
    """How many times better the system's median is than the other's; None where that says nothing."""
    if (workload, other) not in results or figure not in results[workload, other][0]:
        return None
    own_median = median(figures[figure] for figures in results[workload, system])
    other_median = median(figures[figure] for figures in results[workload, other])
    if own_median <= 0 or other_median <= 0:
        return None
    return own_median / other_median if figure in MORE_IS_BETTER else other_median / own_median


def show(report: Report, out: TextIO) -> None:
    """Write the report: with colours on a terminal, as Markdown into a pipe or a file."""
    if out.isatty():
        _show_on_terminal(report, Console(file=out))
        return
    print("| " + " | ".join(COLUMNS) + " |", file=out)
    print("|" + " --- |" * len(COLUMNS), file=out)
    for line in report.lines:
        print("| " + " | ".join(_cells(line)) + " |", file=out)
    print(file=out)
    for sentence in _sentences(report):
        print(f"- {sentence}", file=out)


def _show_on_terminal(report: Report, console: Console) -> None:
    table = Table(*COLUMNS)
    for column in table.columns[3:7]:
        column.justify = "right"
    before: Line | None = None
    for line in report.lines:
        if before and (before.workload, before.figure) != (line.workload, line.figure):
            table.add_section()
        missed = any(verdict.met is False for verdict in line.verdicts)
        met = bool(line.verdicts) and all(verdict.met for verdict in line.verdicts)
        table.add_row(*_cells(line), style="red" if missed else "green" if met else None)
        before = line
    console.print(table)
    for sentence in _sentences(report):
        console.print(f"[dim]{sentence}[/dim]", highlight=False)


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.workload,
        f"{line.figure.rpartition('_')[0].removesuffix('_per').replace('_', ' ')}, {line.unit}",
        line.system,
        _number(line.median),
        f"{_number(line.minimum)} to {_number(line.maximum)}",
        _comparison(line.times_raw),
        _comparison(line.times_langgraph),
        "; ".join(_words(verdict) for verdict in line.verdicts),
    )


def _words(verdict: Verdict) -> str:
    if verdict.met is None or verdict.value is None:
        return f"{verdict.goal}: not measured"
    return f"{verdict.goal}: {'met' if verdict.met else 'MISSED'} ({_number(verdict.value)})"


def _comparison(times: float | None) -> str:
    if times is None:
        return ""
    return f"{times:.1f} × better" if times >= 1 else f"{1 / times:.1f} × worse"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _sentences(report: Report) -> list[str]:
    """What has to be known to read the table."""
    return [
        *(f"{name}: {title}" for name, title in report.workloads.items()),
        *(f"{name}: {promise}" for name, promise in report.systems.items()),
        *report.notes,
        told(report.machine),
    ]
