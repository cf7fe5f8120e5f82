"""A folder with a module of workflows, and the command line run in it."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from segue.cli.main import app

FLOWS = '''
from pydantic import BaseModel
from segue import Handoff, agent, workflow


class Found(BaseModel):
    names: list[str]


@agent
def research(goal: str) -> Handoff[Found]:
    """Finds three names."""
    return Handoff(
        Found(names=["a", "bb", "ccc"]),
        summary=f"three names for {goal}",
        confidence=0.87,
        decisions=["left out the small ones"],
    )


@agent
def price(name: str) -> int:
    return len(name)


@agent
def total(prices: list[int]) -> int:
    return sum(prices)


@workflow
def compare(goal: str) -> int:
    return total(price.map(research(goal).names))


@agent
def broken(goal: str) -> str:
    raise ValueError(f"no luck with {goal}")


@agent
def after(text: str) -> str:
    return text


@agent
def other(goal: str) -> str:
    return goal


@workflow
def failing(goal: str) -> list[str]:
    return [after(broken(goal)), other(goal)]


@agent
def rude(goal: str) -> Handoff[str]:
    """Hands over what would clear a screen."""
    return Handoff("\\x1b[2Jgone", summary="red \\x1b[31m \\u202e and more", decisions=["a\\rb"])


@workflow
def shouting(goal: str) -> str:
    return rude(goal)


@agent
def doubtful(goal: str) -> Handoff[str]:
    return Handoff(goal, status="needs_review", confidence=0.1)


@workflow
def doubted(goal: str) -> str:
    return after(doubtful(goal))

'''

MISTYPED = """
from flows import research
from segue import agent, workflow


@agent
def listed(numbers: list[int]) -> str:
    return str(numbers)


@workflow
def mistyped(goal: str) -> str:
    return listed(research(goal))
"""


class Project:
    """The command line in a folder of its own; `run` is as if it were typed, without a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "segue.db"

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, input=stdin)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str, stdin: str | None = None) -> Result:
        """A command that must fail in one clear message, and leave no store behind if there was none."""
        there = self._files()
        done = self.run(*arguments, stdin=stdin)
        assert done.exit_code not in {0, None}
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr
        assert done.stderr.startswith(("error: ", "Usage: ", "{"))
        assert done.stdout == ""
        assert self._files() <= there
        return done

    def _files(self) -> set[str]:
        """What is in the folder, without the log that a killed process left to SQLite."""
        return {name for name in os.listdir(self.folder) if not name.endswith(("-wal", "-shm"))}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A folder with `flows.py`, `mistyped.py` and no store."""
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "mistyped.py").write_text(MISTYPED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGUE_STORE", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


@pytest.fixture
def ran(project: Project) -> Project:
    """A project in which `compare` has run."""
    assert project.run("run", "flows:compare", "--input", '"cheap"').stdout == "6\n"
    return project
