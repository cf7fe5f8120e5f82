"""The documentation knows every word of the library, and its links lead somewhere."""

from __future__ import annotations

import inspect
import re
import typing
from pathlib import Path
from urllib.parse import urldefrag

import pytest
import yaml

import segue
from segue import errors
from segue.cli.main import app
from segue.cli.output import EXIT_CODES
from segue.domain import event_names, records
from segue.domain.envelope import limits
from segue.domain.graph import agent
from segue.domain.settings.budgets import RunBudgets
from segue.stores import wording
from tests.docs.pages import PAGES, ROOT, anchors, links, name_of

DOCS = ROOT / "docs"
LINKED = sorted([*PAGES, ROOT / "examples" / "README.md"])


def test_every_public_name_has_its_place_in_the_reference() -> None:
    """What `from segue import ...` offers is in the page of the Python API."""
    documented = set(re.findall(r"^::: segue\.(\w+)$", (DOCS / "reference/api.md").read_text(), re.MULTILINE))
    assert documented == set(segue.__all__)


def test_every_error_is_explained_with_its_exit_code() -> None:
    """The page of errors has a row for each class, with the code that the command line returns."""
    rows = dict(
        re.findall(
            r"^\| `(\w+)` \|(?:[^|]*\|){2} (\d+) \|$",
            (DOCS / "reference/errors.md").read_text(),
            re.MULTILINE,
        )
    )
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert rows == {
        kind.__name__: str(kind.exit_code) for kind in kinds if issubclass(kind, errors.SegueError)
    }


def test_every_exit_code_is_explained() -> None:
    """The page of errors has the codes of the command line, in the command line's words."""
    page = (DOCS / "reference/errors.md").read_text()
    for code, meaning in EXIT_CODES:
        assert f"| {code} | {meaning} |" in page


def test_every_setting_of_an_agent_is_explained() -> None:
    """The page of settings has a row for each keyword of `@agent` and each of the limits of a payload."""
    page = (DOCS / "reference/settings.md").read_text()
    for setting in agent.Settings.__annotations__:
        assert f"| `{setting}` |" in page
    for limit in (name for name in vars(limits) if name.isupper()):
        assert f"`{limit}`" in page, limit


def test_every_argument_of_segue_is_explained() -> None:
    """The page of settings has a row for each argument of `Segue(...)` and of `with_(...)`."""
    page = (DOCS / "reference/settings.md").read_text()
    for function in (segue.Segue.__init__, segue.Segue.with_):
        for argument in list(inspect.signature(function).parameters)[1:]:
            if argument != "bounds":
                assert f"| `{argument}` |" in page
    for budget in RunBudgets.__annotations__:
        assert f"`{budget}`" in page


def test_every_event_is_explained() -> None:
    """The page of events has a row for each name that there is, and no other; what ends an attempt is among them."""
    page = (DOCS / "reference/events.md").read_text()
    listed = {
        "task": re.findall(r"^\| `task\.AGENT\.(\w+)` \|", page, re.MULTILINE),
        "run": re.findall(r"^\| `run\.(\w+)` \|", page, re.MULTILINE),
        "consumer": re.findall(r"^\| `consumer\.NAME\.(\w+)` \|", page, re.MULTILINE),
        "store": re.findall(r"^\| `store\.(\w+)` \|", page, re.MULTILINE),
    }
    assert {subject: set(kinds) for subject, kinds in listed.items()} == event_names.KINDS
    assert event_names.KINDS["task"] >= set(typing.get_args(records.Ending))
    told = {value for name, value in vars(wording).items() if name.startswith(("RUN_", "STORE_"))}
    assert all(event_names.check_pattern(name) for name in told)


def test_every_state_is_explained() -> None:
    """The page of states has a row for each state of a task and of a run."""
    page = (DOCS / "reference/states.md").read_text()
    for state in (*typing.get_args(records.TaskState), *typing.get_args(records.RunState)):
        assert f"| `{state}` |" in page


def test_every_command_is_explained() -> None:
    """Each command of `segue` has a section in the reference."""
    page = (DOCS / "reference/cli.md").read_text()
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"\n## `segue {command.callback.__name__.replace('_', '-')}" in page


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link inside the project names a file that is there and, after a `#`, a heading in it."""
    for link in links(page):
        target, anchor = urldefrag(link)
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{name_of(page)} links to {link}"
        assert DOCS not in page.parents or DOCS in file.parents, f"{name_of(page)}: {link} is not on the site"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{name_of(page)} links to {link}"


def test_every_page_is_in_the_navigation() -> None:
    """The site shows each page in its menu, and its menu has no page that is not there."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed: list[str] = []

    def walk(entry: object) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        elif isinstance(entry, dict):
            for value in entry.values():
                walk(value)
        elif isinstance(entry, list):
            for value in entry:
                walk(value)

    walk(config["nav"])
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_the_proofs_that_are_named_exist() -> None:
    """Each path to a test in the tables of guarantees is a file of this repository."""
    for page in (ROOT / "README.md", DOCS / "guarantees.md"):
        for path in re.findall(r"`(tests/[\w/.]+)`", page.read_text()):
            assert (ROOT / path).exists(), f"{name_of(page)} names {path}"
