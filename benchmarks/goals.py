"""What the figures should be: each goal names a figure, a limit, and what the figure is held against.

Goals that compare hold against a figure of the same repetition, so that a disk that was slow for a while
was slow for both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.workloads import Figures

FAST = "Segue, fast"
DURABLE = "Segue, durable"
SPECULATIVE = "Segue, durable, speculative"
RAW_FAST = "raw SQLite, fast"
RAW_DURABLE = "raw SQLite, durable"
LANGGRAPH = "LangGraph"

Results = Mapping[tuple[str, str], list[Figures]]
"""By workload and system: the figures of each repetition."""


@dataclass(frozen=True)
class Goal:
    """A limit on one figure of one system, and how what is held against it comes out of the results."""

    workload: str
    system: str
    figure: str
    text: str
    limit: float
    held: Callable[[Results, "Goal"], float | None]
    at_least: bool = False

    def verdict(self, results: Results) -> "Verdict":
        """Hold the results against the goal."""
        value = self.held(results, self)
        met = None if value is None else (value >= self.limit if self.at_least else value <= self.limit)
        return Verdict(self.text, value, met)


@dataclass(frozen=True)
class Verdict:
    """How a goal came out; `met` is None when what it compares with was not measured."""

    goal: str
    value: float | None
    met: bool | None


def alone(results: Results, goal: Goal) -> float | None:
    """The figure by itself."""
    return _paired(results, goal, goal.system, goal.figure, lambda own, other: own)


def over(system: str) -> Callable[[Results, Goal], float | None]:
    """How much the figure is above another system's."""
    return lambda results, goal: _paired(results, goal, system, goal.figure, lambda own, other: own - other)


def times_faster_than(system: str) -> Callable[[Results, Goal], float | None]:
    """How often the figure, a time, goes into another system's."""
    return lambda results, goal: _paired(results, goal, system, goal.figure, lambda own, other: other / own)


def times(figure: str) -> Callable[[Results, Goal], float | None]:
    """How many times another figure of the same system the figure is."""
    return lambda results, goal: _paired(results, goal, goal.system, figure, lambda own, other: own / other)


def _paired(
    results: Results, goal: Goal, system: str, figure: str, held: Callable[[float, float], float]
) -> float | None:
    """The median over the repetitions of a comparison made within each."""
    own = results.get((goal.workload, goal.system), [])
    other = results.get((goal.workload, system), [])
    pairs = [(mine[goal.figure], yours[figure]) for mine, yours in zip(own, other, strict=False)]
    return median(held(mine, yours) for mine, yours in pairs) if pairs else None


GOALS = (
    Goal("W1", FAST, "p50_us", "at most 80 µs", 80, alone),
    Goal("W1", DURABLE, "p50_us", "at most 130 µs over raw", 130, over(RAW_DURABLE)),
    Goal("W1", DURABLE, "p50_us", "4 times faster than LangGraph", 4, times_faster_than(LANGGRAPH), True),
    Goal("W1", FAST, "p99_us", "at most 4 times p50", 4, times("p50_us")),
    Goal("W1", DURABLE, "p99_us", "at most 4 times p50", 4, times("p50_us")),
    Goal("W2", FAST, "tasks_per_s", "at least 15,000", 15_000, alone, True),
    Goal("W2", DURABLE, "tasks_per_s", "at least 12,000", 12_000, alone, True),
    Goal("W3", FAST, "handoffs_per_s", "at least 15,000", 15_000, alone, True),
    Goal("W3", DURABLE, "handoffs_per_s", "at least 12,000", 12_000, alone, True),
    Goal("W4", FAST, "stored_mb", "at most 1.3 MB", 1.3, alone),
    Goal("W4", DURABLE, "stored_mb", "at most 1.3 MB", 1.3, alone),
    Goal("W4", FAST, "hop_ms", "at most 0.8 ms", 0.8, alone),
    Goal("W4", DURABLE, "hop_ms", "at most 1.5 ms", 1.5, alone),
    Goal("W5", FAST, "excess_ms", "at most 4 ms", 4, alone),
    Goal("W5", DURABLE, "excess_ms", "at most 4 ms", 4, alone),
    Goal("P1", FAST, "p50_us", "at most 300 µs", 300, alone),
    Goal("P1", DURABLE, "p50_us", "at most 600 µs", 600, alone),
    Goal("P2", FAST, "idle_percent", "at most 5 %", 5, alone),
    Goal("P2", DURABLE, "idle_percent", "at most 5 %", 5, alone),
    Goal("P3", FAST, "longest_ms", "at most 1 s", 1000, alone),
    Goal("P3", DURABLE, "longest_ms", "at most 1 s", 1000, alone),
    Goal("P4", FAST, "longest_ms", "at most 500 ms", 500, alone),
    Goal("P4", DURABLE, "longest_ms", "at most 500 ms", 500, alone),
    Goal("scale", FAST, "full_p50_us", "at most 1.3 times that of an empty file", 1.3, times("empty_p50_us")),
    Goal("scale", FAST, "memory_growth_mb", "at most 20 MB", 20, alone),
)
