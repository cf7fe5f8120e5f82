"""Bad input: one clear line with the thing and the remedy, the right exit code, nothing half written."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Project

RUN = ("run", "flows:compare")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((*RUN, "-i", "cheap flats"), 2, ["--input", "not JSON", "'\"cheap flats\"'"]),
        ((*RUN, "-i", '{"goal": '), 2, ["--input", "not JSON", "line 1"]),
        ((*RUN, "-i", '{"goal": NaN}'), 2, ["NaN"]),
        ((*RUN, "-i", "@nowhere.json"), 2, ["'nowhere.json' cannot be read", "No such file"]),
        ((*RUN, "-i", "[1, 2]"), 2, ["input 'goal'", "str"]),
        ((*RUN, "-i", '{"gaol": "x"}'), 2, ["input 'goal'"]),
        (RUN, 2, ["'compare' needs 'goal'"]),
        (("run", "nothing:flow"), 2, ["no module 'nothing'"]),
        (("run", "flows"), 2, ["several workflows", "flows:compare"]),
        (("run", "flows:research"), 2, ["is not a workflow, it is an Agent"]),
        (("run", "flows.py:compare"), 2, ["no module 'flows.py'"]),
        (("run", "mistyped", "-i", '"x"'), 2, ["research", "list[int]", "Found"]),
        ((*RUN, "-i", '"x"', "--deadline", "soon"), 2, ["deadline: 'soon' is not a duration"]),
        ((*RUN, "-i", '"x"', "--durability", "slow"), 2, ["durable", "fast"]),
        ((*RUN, "-i", '"x"', "--concurrency", "0"), 2, ["concurrency"]),
        ((*RUN, "-i", '"x"', "--store", "mysql://x/y"), 4, ["mysql"]),
        (("runs",), 4, ["there is no store at 'segue.db'", "--store"]),
        (("runs", "--store", "/"), 4, ["/ is a folder", "/segue.db"]),
        (("runs", "--limit", "99999999999999999999"), 2, ["--limit", "1000000000"]),
        (("show", "latest"), 4, ["there is no store at 'segue.db'"]),
        (("events", "--store", "gone/away.db"), 4, ["'gone/away.db'"]),
        (("resume",), 4, ["there is no store"]),
        (("prune", "--older-than", "7d"), 4, ["there is no store"]),
        (("prune", "--older-than", "long"), 2, ["--older-than: 'long' is not a duration"]),
        (("graph",), 2, ["--run RUN"]),
        (("graph", "flows:compare", "--format", "svg"), 2, ["no format 'svg'", "mermaid"]),
        (("graph", "flows:compare", "--format", "dot", "--json"), 2, ["one form", "--format dot"]),
        (("graph", "flows:compare", "--run", "latest"), 2, ["Give one of the two"]),
        (("graph", "--run", "latest", "--agents", "flows"), 2, ["Leave out --agents"]),
        (("resume", "--command", "once"), 2, ["about one run", "segue resume RUN"]),
        (("resume", "--reason", "now"), 2, ["about one run"]),
        (("resolve", "latest", "a", "e"), 2, ["--happened JSON", "--did-not-happen"]),
        (("resolve", "latest", "a", "e", "--happened", "1", "--did-not-happen"), 2, ["Give one of the two"]),
        (("consumers", "on:index", "--retry", "--skip"), 2, ["one thing is done"]),
        (("consumers", "on:index", "--note", "why"), 2, ["Add --retry, --skip or --forget"]),
        (("chaos", "--no-matrix", "--seconds", "0"), 2, ["nothing is left to try"]),
        (("chaos", "--no-matrix", "--only", "settle"), 2, ["Leave out --no-matrix"]),
        (("runs", "--store", "memory:"), 2, ["in memory"]),
        (("demo", "nowhere"), 2, ["'nowhere' is not a folder"]),
        (("fly",), 2, ["fly"]),
    ],
)
def test_refused(project: Project, arguments: tuple[str, ...], code: int, said: list[str]) -> None:
    """Each mistake is named with its remedy, and no store comes into being."""
    refused = project.refused(*arguments)
    assert refused.exit_code == code
    assert [part for part in said if part not in refused.stderr] == []


def test_a_cycle_in_a_graph(project: Project) -> None:
    """Data can have cycles and unknown agents; both are told, with the path."""
    nodes = {
        "a": {"agent": "after", "arguments": {"text": "$b"}},
        "b": {"agent": "after", "arguments": {"text": "$a"}},
        "c": {"agent": "nobody", "arguments": {}},
    }
    (project.folder / "graph.json").write_text(json.dumps({"workflow": "w", "inputs": {}, "nodes": nodes}))
    refused = project.refused("run", "graph.json", "--agents", "flows")
    assert refused.exit_code == 2
    assert "cycle" in refused.stderr
    assert "nobody" in refused.stderr


def test_an_unknown_run_and_task(ran: Project) -> None:
    """A run or task that is not there is named, with what there is."""
    for command in (
        ("show", "nothing-like-it"),
        ("events", "nothing-like-it"),
        ("graph", "--run", "nothing-like-it"),
    ):
        refused = ran.refused(*command)
        assert refused.exit_code == 2
        assert "no run 'nothing-like-it'" in refused.stderr
    refused = ran.refused("show", "latest", "reserch")
    assert refused.exit_code == 2
    assert "no task 'reserch'" in refused.stderr
    assert "research" in refused.stderr


def test_an_unknown_cursor(ran: Project) -> None:
    """A cursor that is none is refused."""
    refused = ran.refused("events", "--after", "yesterday")
    assert refused.exit_code == 4
    assert "'yesterday' is not a cursor" in refused.stderr


@pytest.mark.parametrize("command", [("runs",), (*RUN, "-i", '"x"')])
def test_a_store_that_is_none(project: Project, command: tuple[str, ...]) -> None:
    """A folder and a file that is no database are refused and left as they were."""
    (project.folder / "folder").mkdir()
    (project.folder / "text.db").write_text("not a database, and longer than a header of one. " * 4)
    for name in ("folder", "text.db"):
        refused = project.refused(*command, "--store", name)
        assert refused.exit_code == 4
        assert name in refused.stderr
    assert os.listdir(project.folder / "folder") == []


def test_errors_as_json(project: Project) -> None:
    """With --json an error is one object on standard error, with its remedy and code."""
    told = json.loads(project.refused("runs", "--json").stderr)
    assert told["error"] == "StoreUnavailable"
    assert told["exit_code"] == 4
    assert told["remedy"]


def test_debug_shows_the_traceback(project: Project) -> None:
    """The traceback is there for whoever asks."""
    (project.folder / "bad.py").write_text("1 / 0\n")
    assert "ZeroDivisionError" in project.refused("run", "bad").stderr
    shown = project.run("run", "bad", "--debug")
    assert "Traceback (most recent call last)" in shown.stderr
    assert str(Path("bad.py")) in shown.stderr


@pytest.mark.parametrize(
    "typed", [("runs", "--nope"), ("nope",), ("show",), ("run", "flows:compare", "--concurrency", "0")]
)
def test_what_is_typed_wrong_is_told_as_json(project: Project, typed: tuple[str, ...]) -> None:
    """A script that asks for JSON gets an object for a mistake on the command line too."""
    told = json.loads(project.refused(*typed, "--json").stderr)
    assert (told["error"], told["exit_code"]) == ("UsageError", 2)
    assert told["message"]


@pytest.mark.parametrize("target", ["", ":", ":compare"])
def test_no_module(project: Project, target: str) -> None:
    """A target without a module is a mistake like any other."""
    assert "no module is named" in project.refused("run", target, "-i", "1").stderr
