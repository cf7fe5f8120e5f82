"""`segue runs`, `show`, `events`, `graph` and `prune` on a store that is there."""

import asyncio
import json
import re
import subprocess
import sys

import pytest

from segue import Segue, Spending, agent, ctx, workflow
from segue.cli.output import table
from segue.domain.measures import seconds_in_words
from tests.cli.conftest import Project


@agent
async def think(prompt: str) -> str:
    async with ctx.spend(tokens=100) as spent:
        spent.tokens = 60
    return f"{prompt}?"


@agent
async def plan(prompt: str) -> str:
    async with ctx.spend(tokens=40, cost=0.25):
        return await ctx.delegate(think, prompt=prompt, budget=Spending(tokens=150))


@workflow
def planned(prompt: str) -> str:
    return plan(prompt)


@pytest.fixture
def spending(project: Project) -> Project:
    """A store with a run that has a budget, and delegates with a share of it."""

    async def run() -> None:
        async with Segue(str(project.store)) as segue:
            await segue.with_(budget=Spending(tokens=1_000, cost=2.0)).run(planned, "why")

    asyncio.run(run())
    return project


def test_what_was_spent(spending: Project) -> None:
    """A run with a budget says what of it is gone, and so does each share of it; as values for scripts."""
    lines = spending.run("show", "latest").stdout.splitlines()
    assert "spent: 0.25 of 2 cost · 100 of 1,000 tokens" in lines
    assert "spent by plan/think.1: 60 of 150 tokens" in lines
    told = {(each["account"], each["unit"]): each for each in spending.json("show", "latest")["spending"]}
    assert told[None, "cost"] == {"account": None, "unit": "cost", "cap": 2.0, "spent": 0.25, "reserved": 0}
    assert told["plan/think.1", "tokens"]["spent"] == 60


def test_a_delegation_in_the_graph(spending: Project) -> None:
    """What was delegated is drawn from who asked, who never goes without it: nothing says `skips without it`."""
    drawn = spending.run("graph", "--run", "latest").stdout
    assert re.search("asked by ← plan +consumed in [0-9.]+ .?s, [0-9]+ B$", drawn, re.MULTILINE)
    assert "skips" not in drawn
    (edge,) = (each for each in spending.json("graph", "--run", "latest")["edges"] if each["from"])
    assert (edge["from"], edge["to"], edge["kind"], edge["without"], edge["state"]) == (
        "plan", "plan/think.1", "delegation", None, "consumed",
    )  # fmt: skip
    assert (
        '-.->|"delegates<br/>consumed in '
        in spending.run("graph", "--run", "latest", "--format", "mermaid").stdout
    )


def test_runs(ran: Project) -> None:
    """A line for each run, newest first; --state chooses."""
    ran.run("run", "flows:failing", "-i", '"x"')
    lines = ran.run("runs").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["workflow", "failing", "compare"]
    assert [run["workflow"] for run in ran.json("runs", "--state", "failed")] == ["failing"]
    assert [run["workflow"] for run in ran.json("runs", "-n", "1")] == ["failing"]


def test_the_fields_of_a_run_are_stable(ran: Project) -> None:
    """Scripts rely on these names; a change here is a change of the interface."""
    view = ran.json("show", "latest")
    assert list(view) == [
        "run", "workflow", "state", "key", "submitted_at", "ended_at", "input", "options", "graph_digest",
        "totals", "tasks", "edges", "spans", "pauses", "spending", "wanted_places",
    ]  # fmt: skip
    assert list(view["totals"]) == [
        "wall_seconds", "working_seconds", "coordinating_seconds", "agent_seconds", "handoffs", "handoff_bytes",
        "input_tokens", "output_tokens", "cost",
    ]  # fmt: skip
    assert list(view["tasks"][0]) == [
        "task", "node", "item", "agent", "state", "attempt", "epoch", "worker", "ready_at", "claimed_at",
        "settled_at", "inputs", "handoff", "error", "review", "requires",
    ]  # fmt: skip
    assert list(view["edges"][0]) == ["source", "target", "crossing", "state", "seconds", "size_bytes"]


def test_a_run_by_any_name(ran: Project) -> None:
    """An id, its unique beginning, a key and `latest` all name a run."""
    run = ran.json("run", "flows:compare", "-i", '"x"', "--key", "monday")["run"]
    for name in (run, run[:18], "monday", "latest"):
        assert ran.json("show", name)["run"] == run


def test_an_ambiguous_beginning(ran: Project) -> None:
    """A beginning that fits two runs is refused and asks for more."""
    first, second = ran.json("runs")[0]["run"], ran.json("run", "flows:compare", "-i", '"x"')["run"]
    common = first[: next(place for place, sign in enumerate(first) if sign != second[place])]
    assert "several runs begin with" in ran.refused("show", common).stderr


def test_a_task(ran: Project) -> None:
    """A task shows its hand-off with summary, confidence and decisions, its inputs and its output."""
    shown = ran.run("show", "latest", "research").stdout
    for part in (
        "summary: three names for cheap",
        "confidence: 0.87",
        "decision: left out the small ones",
        '"bb"',
    ):
        assert part in shown
    detail = ran.json("show", "latest", "price[1]")
    assert detail["output"] == 2
    assert [pin["task"] for pin in detail["task"]["inputs"]] == ["research"]
    assert [version["status"] for version in detail["versions"]] == ["complete"]


def test_a_traceback(project: Project) -> None:
    """A failed run shows the traceback of its task, from the agent on: how that was called tells nobody anything."""
    project.run("run", "flows:failing", "-i", '"x"')
    for command in (("show", "latest"), ("show", "latest", "broken")):
        shown = project.run(*command).stdout
        assert "Traceback (most recent call last):" in shown
        assert "ValueError: no luck with x" in shown
        assert "in broken" in shown
        assert "/segue/engine/" not in shown


def test_events(ran: Project) -> None:
    """Events are numbered without a gap; --names and --after choose; as JSON each line has its cursor."""
    lines = [json.loads(line) for line in ran.run("events", "latest", "--json").stdout.splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert (lines[0]["name"], lines[-1]["name"]) == ("run.started", "run.complete")
    only = ran.run("events", "--names", "task.complete", "--json").stdout.splitlines()
    assert [json.loads(line)["name"].split(".")[1] for line in only].count("price") == 3
    assert "Did you mean 'complete'?" in ran.refused("events", "--names", "task.research.completed").stderr
    rest = ran.run("events", "--after", lines[-2]["cursor"], "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in rest] == ["run.complete"]


def test_following_ends_with_the_run(ran: Project) -> None:
    """--follow of a run that has ended prints all of it and returns."""
    followed = ran.run("events", "latest", "--follow").stdout
    assert followed == ran.run("events", "latest").stdout
    assert followed.splitlines()[-1].endswith("run.complete")


@pytest.mark.parametrize(
    ("form", "begins"), [("text", "compare\n"), ("mermaid", "flowchart"), ("dot", "digraph"), ("json", "{")]
)
def test_the_graph_of_a_workflow(project: Project, form: str, begins: str) -> None:
    """A graph is drawn without a store, and makes none."""
    done = project.run("graph", "flows:compare", "--format", form)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(begins)
    assert not project.store.exists()


def test_the_graph_of_a_run(ran: Project) -> None:
    """The graph of a run says of each edge how its hand-off stands."""
    drawn = ran.json("graph", "--run", "latest")
    edges = {(edge["from"], edge["to"]): edge for node in [drawn] for edge in node["edges"] if edge["from"]}
    assert {names: edge["state"] for names, edge in edges.items()} == {
        ("research", "price"): "consumed",
        ("price", "total"): "consumed",
    }
    assert edges["research", "price"]["bytes"] > 0


def test_prune(ran: Project) -> None:
    """Only runs that ended long enough ago are deleted."""
    assert ran.json("prune", "--older-than", "1h") == {"pruned": 0}
    assert ran.json("prune", "--older-than", "1ms") == {"pruned": 1}
    assert ran.run("runs").stderr == "No runs.\n"


def test_the_store_of_the_environment(ran: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEGUE_STORE is the default of --store."""
    (ran.folder / "elsewhere").mkdir()
    monkeypatch.setenv("SEGUE_STORE", "elsewhere/other.db")
    assert ran.run("run", "flows:compare", "-i", '"x"').exit_code == 0
    assert len(ran.json("runs")) == 1
    monkeypatch.setenv("SEGUE_STORE", "segue.db")
    assert len(ran.json("runs")) == 1


def test_nothing_is_cut_in_a_pipe(project: Project) -> None:
    """Where nobody sees a screen a long summary is whole, and there are no colours."""
    project.run("run", "flows:compare", "-i", json.dumps("long " * 60))
    shown = project.run("show", "latest").stdout
    assert "three names for " + ("long " * 60).strip() in re.sub(" +", " ", shown)
    assert "\x1b" not in shown
    assert [line for line in shown.splitlines() if line.endswith(" ")] == []


@pytest.mark.parametrize(
    ("width", "left_out"), [(80, set()), (45, {"bytes", "took"}), (10, {"state", "try"})]
)
def test_a_table_in_a_narrow_terminal(width: int, left_out: set[str]) -> None:
    """Where there is no room whole columns are left out from the right; those that stay can be read."""
    columns = ("run", "state", ">try", "summary", ">took", ">bytes")
    drawn = table(
        columns, [("01a220d6-f060", "complete", "1", "x" * 90, "12.5 ms", "211 B")], "summary", width
    )
    shown = [str(column.header) for column in drawn.columns]
    assert shown[0] == "run"
    assert left_out.isdisjoint(shown)
    assert {"run", "summary"} <= set(shown)
    cells = [next(iter(column.cells)) for column in drawn.columns]
    assert str(cells[0]) == "01a220d6-f060"
    assert width < 45 or sum(column.width or 0 for column in drawn.columns) + 2 * (len(shown) - 1) <= width


WAITING = """
import asyncio

from segue import Later, agent, workflow


@agent
async def slow(text: str) -> str:
    await asyncio.sleep(0.01)
    return text


@agent
async def waits(text: Later[str]) -> str:
    return await text


@workflow
def waiting(text: str) -> str:
    return waits(slow(text))
"""


def test_waiting_is_not_the_time_of_a_task(project: Project) -> None:
    """The time of a task is what its agent has worked, without what it waited for another one in the middle."""
    (project.folder / "waiting.py").write_text(WAITING)
    project.run("run", "waiting", "-i", '"x"')
    lines = project.run("show", "latest").stdout.splitlines()
    spans = project.json("show", "latest")["spans"]
    for name in ("slow", "waits"):
        worked = sum(each["completed_at"] - each["started_at"] for each in spans if each["task"] == name)
        (shown,) = (line.split()[3:5] for line in lines if line.startswith(name))
        assert " ".join(shown) == seconds_in_words(worked)
    assert len([each for each in spans if each["task"] == "waits"]) == 2


def test_a_closed_standard_output(ran: Project) -> None:
    """Whoever closes standard output wants to hear nothing, and that is no error."""
    command = f"exec {sys.executable} -m segue show latest >&-"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ran.folder, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
