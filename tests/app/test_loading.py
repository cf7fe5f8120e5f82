"""Workflows by name: what is found, and what is said where nothing can be."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.app.loading import load_module, load_workflow
from segue.errors import LoadError

ONE = """
from segue import agent, workflow

@agent
def double(number: int) -> int:
    return 2 * number

@workflow
def doubled(number: int) -> int:
    return double(number)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to import from; what was imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def refused(target: str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load_workflow(target)
    assert caught.value.remedy
    return caught.value


def test_a_module_of_the_current_folder(folder: Path) -> None:
    """A workflow is found by its name, and by its module alone where it is the only one."""
    (folder / "one.py").write_text(ONE)
    assert load_workflow("one:doubled") is load_workflow("one")


def test_what_a_module_imports_does_not_count(folder: Path) -> None:
    """A workflow that is only used inside another does not make `module` ambiguous."""
    (folder / "one.py").write_text(ONE)
    (folder / "two.py").write_text(
        "from segue import workflow\nfrom one import doubled\n\n"
        "@workflow\ndef twice(number: int) -> int:\n    return doubled(doubled(number))\n"
    )
    assert load_workflow("two").name == "twice"
    assert load_workflow("two:doubled").name == "doubled"


def test_several_workflows_are_listed(folder: Path) -> None:
    """Without a name, a module with two workflows is refused and both are named."""
    (folder / "two.py").write_text(
        ONE + "\n@workflow\ndef again(number: int) -> int:\n    return double(number)\n"
    )
    error = refused("two")
    assert "several workflows" in error.message
    assert error.remedy == "It has: two:doubled, two:again."


def test_no_such_module(folder: Path) -> None:
    """A module that is not there is named, with the folder that was searched."""
    error = refused("nothing.here:flow")
    assert "no module 'nothing.here'" in error.message
    assert str(folder) in str(error.remedy)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n1 / 0\n", ["ZeroDivisionError: division by zero", "bad.py, line 2"]),
        ("import not_installed_anywhere\n", ["No module named 'not_installed_anywhere'", "bad.py, line 1"]),
        ("def broken(:\n", ["SyntaxError", "bad.py, line 1"]),
        ("import sys\nsys.exit(3)\n", ["SystemExit: 3", "bad.py, line 2"]),
        ("from segue import agent\n\n@agent(retries=-1)\ndef a() -> int: ...\n", ["retries=-1", "bad.py"]),
    ],
)
def test_a_module_that_fails_says_where(folder: Path, text: str, said: list[str]) -> None:
    """An error inside the module is told with its file and line."""
    (folder / "bad.py").write_text(text)
    error = refused("bad:flow")
    assert [part for part in said if part not in error.message] == []


def test_no_such_attribute(folder: Path) -> None:
    """A misspelt workflow is answered with those that there are."""
    (folder / "one.py").write_text(ONE)
    error = refused("one:dubled")
    assert "has no 'dubled'" in error.message
    assert "one:doubled" in str(error.remedy)


def test_not_a_workflow(folder: Path) -> None:
    """An agent or anything else is not taken for a workflow."""
    (folder / "one.py").write_text(ONE)
    error = refused("one:double")
    assert "'one:double' is not a workflow, it is an Agent" in error.message


def test_a_path_is_answered_with_the_module(folder: Path) -> None:
    """Somebody who gives a file is told how to write it."""
    with pytest.raises(LoadError) as caught:
        load_module("flows/one.py")
    assert "flows.one:workflow" in str(caught.value.remedy)
