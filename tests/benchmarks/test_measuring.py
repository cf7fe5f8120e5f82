"""What the benchmark does with its samples: how a hop, a page and a goal are counted."""

import json
import sys
from io import StringIO

import pytest

from benchmarks import goals, workloads
from benchmarks.__main__ import WORKLOADS, parse
from benchmarks.lanes import Lane, LaneFailed
from benchmarks.raw_rows import RawSqlite, RawStore, pages_per_commit
from benchmarks.report import Report, lines_of, show


def test_hops_leave_out_the_way_to_the_first_agent():
    """A hop is from one agent's return to the next one's start; work and submission are not in it."""
    marks = [time for number in range(workloads.CHAIN_LENGTH) for time in (number * 100, number * 100 + 60)]
    assert workloads.hop_nanoseconds(marks) == [40] * (workloads.CHAIN_LENGTH - 1)


def test_a_chain_with_a_missing_mark_is_refused():
    """An agent that did not run, or ran twice, is an error and never a faster figure."""
    with pytest.raises(workloads.WrongResult, match="marks of a chain"):
        workloads.hop_nanoseconds(list(range(2 * workloads.CHAIN_LENGTH - 1)))


@pytest.mark.parametrize(("rank", "expected"), [(0, 1), (50, 51), (99, 100), (100, 100)])
def test_percentile_is_a_sample(rank, expected):
    """A percentile is one of the samples, by nearest rank."""
    assert workloads.percentile(range(100, 0, -1), rank) == expected


@pytest.mark.parametrize("pages", [1, 6, 11])
def test_a_raw_commit_dirties_as_many_pages_as_it_is_told(tmp_path, pages):
    """The limit that Segue is held against writes exactly the pages that Segue writes."""
    store = RawStore(tmp_path, "fast", pages)
    for _ in range(50):
        store.commit()
    assert pages_per_commit(tmp_path / "raw.db-wal") == pages
    store.close()


def test_a_log_without_a_commit_is_refused(tmp_path):
    """Without a commit in the log there is nothing to count, and no page count is made up."""
    (tmp_path / "empty-wal").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no commit"):
        pages_per_commit(tmp_path / "empty-wal")


@pytest.mark.parametrize("workload", ["W1", "W3", "W4"])
@pytest.mark.parametrize("durability", ["fast", "durable"])
def test_raw_rows_measure(tmp_path, durability, workload):
    """Raw SQLite yields the figures of each workload that it has, all positive."""
    measured = RawSqlite(durability, pages=5).measure(workload, workloads.SMOKE, tmp_path)
    assert measured.keys() <= set(workloads.WORKLOADS[workload].figures)
    assert measured
    assert all(value > 0 for value in measured.values())


def test_goals_compare_within_a_repetition():
    """A goal over raw is the median of the differences of each repetition, not the difference of medians."""
    results = {
        ("W1", goals.DURABLE): [{"p50_us": 300.0}, {"p50_us": 150.0}, {"p50_us": 200.0}],
        ("W1", goals.RAW_DURABLE): [{"p50_us": 290.0}, {"p50_us": 30.0}, {"p50_us": 50.0}],
    }
    goal = goals.Goal("W1", goals.DURABLE, "p50_us", "over raw", 130, goals.over(goals.RAW_DURABLE))
    assert goal.verdict(results) == goals.Verdict("over raw", 120.0, True)


def test_a_goal_whose_counterpart_is_missing_is_neither_met_nor_missed():
    """Without LangGraph nothing is said about being faster than LangGraph."""
    goal = goals.Goal("W1", goals.FAST, "p50_us", "faster", 4, goals.times_faster_than(goals.LANGGRAPH), True)
    assert goal.verdict({("W1", goals.FAST): [{"p50_us": 50.0}]}).met is None


def report_of(results) -> Report:
    return Report(
        machine={"cores": 2.0},
        settings={},
        systems={goals.FAST: "survives kill -9"},
        workloads={"W1": "a chain"},
        notes=["a note"],
        lines=lines_of(results),
    )


def test_a_missed_goal_is_said_in_the_table_and_in_the_json():
    """A figure beyond its goal is reported as missed, with its ratios to raw and to LangGraph."""
    report = report_of(
        {
            ("W1", goals.FAST): [{"p50_us": 100.0}, {"p50_us": 90.0}, {"p50_us": 120.0}],
            ("W1", goals.RAW_FAST): [{"p50_us": 20.0}],
            ("W1", goals.LANGGRAPH): [{"p50_us": 1000.0}],
        }
    )
    out = StringIO()
    show(report, out)
    row = next(line for line in out.getvalue().splitlines() if goals.FAST in line)
    for expected in ("100", "90.0 to 120", "5.0 × worse", "10.0 × better", "at most 80 µs: MISSED (100)"):
        assert expected in row
    line = json.loads(json.dumps(report.as_json()))["lines"][0]
    assert line["median"] == 100.0
    assert line["verdicts"][0] == {"goal": "at most 80 µs", "value": 100.0, "met": False}


def test_every_goal_names_a_figure_that_is_measured():
    """No goal can stay silent because its workload or figure is misspelled."""
    for goal in goals.GOALS:
        if goal.workload != "scale":
            assert goal.figure in WORKLOADS[goal.workload].figures


def test_a_lane_reports_what_went_wrong_in_its_process(tmp_path):
    """An error in the child reaches the person who waits, with the system and the workload."""
    command = [sys.executable, "-m", "benchmarks.raw_rows", "fast", "5"]
    with Lane("raw", command) as lane, pytest.raises(LaneFailed, match=r"raw, W2: KeyError: 'W2'"):
        lane.measure("W2", workloads.SMOKE, tmp_path)


def test_a_lane_measures_in_its_process(tmp_path):
    """Figures come back from another process as they were measured there."""
    with Lane("raw", [sys.executable, "-m", "benchmarks.raw_rows", "fast", "5"]) as lane:
        assert set(lane.measure("W1", workloads.SMOKE, tmp_path)) == {"p50_us", "p99_us"}


def test_an_interpreter_that_is_not_there_is_named():
    """A lane that cannot start says which interpreter is missing."""
    with pytest.raises(LaneFailed, match="nowhere/python"):
        Lane("peer", ["nowhere/python", "-m", "benchmarks.langgraph_rows"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "W1,W9"], "no workload 'W9'"),
        (["--repeat", "0"], "must be at least 1"),
        (["--folder", "nowhere"], "nowhere is not a folder"),
        (["--output", "nowhere/report.json"], "nowhere is not a folder"),
    ],
)
def test_wrong_arguments_are_refused_with_a_remedy(capsys, arguments, words):
    """A wrong argument ends with 2 and a sentence that names it."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
