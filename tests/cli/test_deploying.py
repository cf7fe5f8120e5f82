"""`segue schema check` and `segue plan-deploy`, and old and new workers as processes of their own on one store."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from segue import Segue
from tests.changes import CHANGES, Changed
from tests.cli.conftest import Project
from tests.cli.workers import Worker

HEAD = CHANGES[0].source("old", "1").partition("@payload")[0]

AGENTS = """
from segue import agent, workflow

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@agent
async def use(found: Found) -> dict[str, Any]:
    return found if isinstance(found, dict) else found.model_dump()

@workflow
def flow(value: dict[str, Any]) -> dict[str, Any]:
    return use(find(value))
"""


def write(project: Project, text: str) -> None:
    """Put another version of the module into the folder."""
    (project.folder / "deployed.py").write_text(text)
    sys.modules.pop("deployed", None)


def failing(project: Project, *arguments: str) -> list[str]:
    """The kinds of what must be mended; the command fails just then."""
    done = project.run("schema", "check", "deployed", *arguments, "--json")
    document = json.loads(done.stdout)
    kinds = [each["kind"] for each in document["findings"] if each["fails"]]
    assert done.exit_code == (0 if document["ok"] else 3), done.stderr
    assert document["ok"] == (not kinds and not document["runs"])
    return kinds


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)
def test_each_change_is_checked_against_the_snapshot(case: Changed, project: Project) -> None:
    """Under its version it is drift; under the next it needs an upcaster just where it breaks readers."""
    write(project, case.source("old", "1") + AGENTS)
    assert failing(project, "--update") == []
    assert failing(project) == []
    snapshot = (project.folder / "segue-schemas.json").read_text()
    write(project, case.source("new", "1") + AGENTS)
    assert failing(project, "--update") == (["drift"] if case.field or case.breaks_readers else [])
    write(project, case.source("new", "2") + AGENTS)
    assert failing(project) == (["needs upcaster"] if case.breaks_readers else [])
    write(project, case.source("new", "2", with_upcaster=True) + AGENTS)
    assert (project.folder / "segue-schemas.json").read_text() == snapshot
    assert failing(project, "--update") == []
    write(project, case.source("old", "1") + AGENTS)
    assert failing(project) == ["backwards"]


def test_what_is_found_is_said_in_words(project: Project) -> None:
    """The field, what is new there, and what to do; and nothing is written while something must be mended."""
    write(project, CHANGES[0].source("old", "1") + AGENTS)
    assert "There is no snapshot segue-schemas.json yet" in project.run("schema", "check", "deployed").stderr
    project.run("schema", "check", "deployed", "--update")
    write(project, CHANGES[0].source("new", "1") + AGENTS)
    done = project.run("schema", "check", "deployed", "--update")
    assert done.exit_code == 3
    assert (
        "drift  Found@1 has changed under its version: b was added, optional: raise its version"
        in done.stdout
    )
    listed = AGENTS.partition("@workflow")[0].replace("-> Found", "-> list[Found]")
    write(project, HEAD + "class Found(BaseModel):\n    a: int\n" + listed)
    done = project.run("schema", "check", "deployed")
    assert "signature  agent 'find' gives list of Found and gave Found" in done.stdout


def test_a_snapshot_that_is_none(project: Project) -> None:
    """Anything else in its place is refused with the remedy."""
    write(project, CHANGES[0].source("old", "1") + AGENTS)
    for text in (
        "",
        "[]",
        '{"segue-schemas": 7}',
        '{"segue-schemas": 1, "payloads": {"x": 1}, "agents": {}}',
    ):
        (project.folder / "segue-schemas.json").write_text(text)
        assert "is no snapshot of schemas" in project.refused("schema", "check", "deployed").stderr
    place = str(project.folder / "nowhere" / "snapshot.json")
    refused = project.refused("schema", "check", "deployed", "--snapshot", place, "--update")
    assert "cannot be written" in refused.stderr


def test_a_deployment_is_planned(project: Project) -> None:
    """Each run in flight with what becomes of it, by task; finished ones are not spoken of."""
    write(
        project, CHANGES[2].source("old", "1") + AGENTS.replace("return found if", "raise OSError('down') #")
    )
    project.run("run", "deployed:flow", "--input", '{"a": 1}')
    assert project.run("plan-deploy", "deployed").stderr == "No runs in flight.\n"
    needing_review = AGENTS.replace("return value", 'return Handoff(Found(**value), status="needs_review")')
    text = needing_review.replace("from segue import agent", "from segue import Handoff, agent")
    write(project, CHANGES[2].source("old", "1") + text)
    assert project.run("run", "deployed:flow", "--input", '{"a": 1}').exit_code == 7
    assert project.json("plan-deploy", "deployed")["compatible"]
    write(project, CHANGES[2].source("new", "2") + text)
    done = project.run("plan-deploy", "deployed")
    assert done.exit_code == 3
    assert "  flow  needs upcaster\n" in done.stdout
    assert (
        "  use: needs upcaster: Found@1 is there and is Found@2 in the code: b was added, required\n"
        in done.stdout
    )
    done = project.run("schema", "check", "deployed", "--store", "segue.db")
    assert done.exit_code == 3
    write(project, CHANGES[2].source("new", "2", with_upcaster=True) + text)
    assert project.json("plan-deploy", "deployed")["compatible"]
    write(project, HEAD + "from segue import agent\n@agent\nasync def other() -> int:\n    return 1\n")
    (run,) = json.loads(project.run("plan-deploy", "deployed", "--json").stdout)["runs"]
    assert run["needs"] == "needs old workers"
    assert (
        run["tasks"][0]["reason"] == "there is no agent 'find' in the code"
        or run["tasks"][0]["task"] == "use"
    )


def test_old_code_is_not_deployed_over_new(project: Project) -> None:
    """What the store has registered is looked at too: a version that goes back, or stands for other fields."""
    write(project, CHANGES[0].source("new", "2") + AGENTS)
    project.run("run", "deployed:flow", "--input", '{"a": 1, "b": "x"}')
    write(project, CHANGES[0].source("old", "1") + AGENTS)
    assert failing(project, "--store", "segue.db") == ["backwards"]
    write(project, CHANGES[0].source("old", "2") + AGENTS)
    assert failing(project, "--store", "segue.db") == ["drift"]


SIDE_BY_SIDE = """
from segue import agent, workflow

MET = set()

def meet(place):
    # Once, until the other worker is here too: so each of them finds something, and uses what the old one found.
    if place not in MET:
        open(f"../{place}", MODE).close()
        MET.add(place)

@agent
def find(number: int) -> Found:
    meet("found")
    return Found(**made(number))

@agent
def use(found: Found) -> list[Any]:
    if getattr(found, "reasoning_trace", "none was kept") == "none was kept":
        meet("used")
    return [CODE, found.model_dump()]

@workflow
def flow(number: int) -> list[Any]:
    found = find(number)
    return [use(found), use(found)]
"""

OLD = """
CODE, MODE = "old", "r"

class Found(BaseModel):
    number: int

def made(number):
    return {"number": number}
"""

NEW = """
CODE, MODE = "new", "w"

@payload(version="2")
class Found(BaseModel):
    number: int
    reasoning_trace: str

@upcast(Found, "1", "2")
def traced(data):
    return {**data, "reasoning_trace": "none was kept"}

def made(number):
    return {"number": number, "reasoning_trace": f"because of {number}"}
"""

RUNS = 30


async def test_old_and_new_workers_side_by_side(project: Project) -> None:
    """
    Two processes, one with the old code and one with the new, share runs of both: all end, what the new one sends never
    reaches the old one, what the old one sends is brought up for the new one, and no field is lost on the way.
    """
    for name, text in (("old", OLD), ("new", NEW)):
        (project.folder / name).mkdir()
        (project.folder / name / "deployed.py").write_text(HEAD + text + SIDE_BY_SIDE)
    for place in ("found", "used"):
        os.mkfifo(project.folder / place)
    async with Segue(project.store, worker=False) as client:
        store = str(project.store)
        flows = {name: load(project.folder / name / "deployed.py", name) for name in ("old", "new")}
        handles = [await client.submit(flows["old"].flow, 0)]
        workers = [
            Worker("deployed", "--store", store, "--concurrency", "1", folder=project.folder / name)
            for name in ("old", "new")
        ]
        for worker in workers:
            worker.until("started")
        handles += [
            await client.submit(flows[("old", "new")[number % 2]].flow, number) for number in range(1, RUNS)
        ]
        ways = set()
        for number, handle in enumerate(handles):
            sent = (await handle.handoff("find")).output
            for name in ("use", "use_2"):
                code, received = (await handle.handoff(name)).output
                ways.add(("new" if "reasoning_trace" in sent else "old", code))
                assert sent["number"] == received["number"] == number
                if "reasoning_trace" in sent:
                    assert (code, received) == ("new", sent)
                else:
                    brought_up = {**sent, "reasoning_trace": "none was kept"}
                    assert received == (sent if code == "old" else brought_up)
            await client.wait(handle.run)
        names = [event.name for event in (await client.host.store.tail(None, 10_000))[0]]
    for worker in workers:
        worker.process.terminate()
        worker.process.communicate()
    assert ways == {("old", "old"), ("old", "new"), ("new", "new")}
    assert names.count("run.complete") == RUNS
    assert not [name for name in names if name.endswith((".failed", ".dead", ".retry"))]


def test_a_task_says_what_it_waits_for(project: Project) -> None:
    """What no worker that is there can read is named, with who could: on the pages of the run and of the task."""
    for name, text in (("old", OLD), ("new", NEW)):
        (project.folder / f"{name}.py").write_text(HEAD + text + SIDE_BY_SIDE)
    old, new = (load(project.folder / f"{name}.py", name) for name in ("old", "new"))

    async def leave_it() -> None:
        async with (
            Segue(project.store, worker=False) as client,
            Segue(project.store, agents=[new.find]),
            Segue(project.store, agents=[old.use]),
        ):
            handle = await client.submit(old.flow, 1)
            async for _ in client.events(handle.run, names="task.use.unreadable"):
                break

    asyncio.run(leave_it())
    assert "use waits for: a worker that reads Found@2" in project.run("show", "latest").stdout
    assert "waits for: a worker that reads Found@2" in project.run("show", "latest", "use").stdout
    assert project.json("show", "latest", "use")["task"]["requires"] == "Found@2"


def load(path: Path, name: str) -> ModuleType:
    """A module from a file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"deployed_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
