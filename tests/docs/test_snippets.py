"""
Every code block of the documentation is run.

A page is played through in an empty folder, from its top to its bottom: a `python` block with a title is written to the
file of that name, one without is executed together with those before it, a `toml`, `json` or `yaml` block with a title
is written too, and the commands of a `console` block are run and their output compared. What a block includes from a
file has tests of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import PAGES, ROOT, Block, Command, blocks, commands, name_of, output_differs

SECONDS = 60
SHOWN_AS = {"python", "console", "json", "yaml", "toml", "sh", "text", "mermaid", "dot", "sql"}
ELSEWHERE = ROOT / "docs/reference/cli.md"  # tests/cli/test_reference.py plays it
PLAYED = [
    page
    for page in PAGES
    if page != ELSEWHERE and any(block.language in ("python", "console") for block in blocks(page))
]


class Play:
    """One page on its way: its folder, the names that its blocks have defined, the last exit code."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": f"page_{page.stem.replace('-', '_')}", **given(page)}
        self.code = 0
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("SEGUE_", "PYTEST_"))
            },
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def play(self, block: Block) -> None:
        """Do what a block says."""
        if block.title is not None:
            target = self.folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.language == "python":
            source = "\n" * block.line + block.text
            exec(compile(source, str(block.page), "exec"), self.names)
        elif block.language == "console":
            for command in commands(block):
                self.run(command)

    def run(self, command: Command) -> None:
        """Run a command; `$?` in it is the exit code of the one before, which otherwise must have been 0."""
        asks = "$?" in command.text
        assert asks or not self.code, f"{command.where}: the command before it ended with {self.code}"
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.code}); {command.text}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.code = 0 if asks else (done.returncode if done.returncode >= 0 else 128 - done.returncode)
        difference = output_differs(command.output, done.stdout)
        assert difference is None, f"{command.where}: $ {command.text}\n{difference}\n\n{done.stdout}"


def given(page: Path) -> dict[str, Any]:
    """What a page of the reference speaks of and does not define itself."""
    if name_of(page) != "docs/reference/handoff.md":
        return {}
    document = next(block.text for block in blocks(page) if block.language == "json")
    (spilled,) = [digest for digest in _digests(document) if digest.startswith("sha256:cfaa")]
    return {"text": document, "Findings": dict[str, Any], "contents": {spilled: b'"a long note"'}}


def _digests(document: str) -> set[str]:
    return {word.removeprefix("segue://") for word in document.split('"') if "sha256:" in word}


@pytest.mark.parametrize("page", PLAYED, ids=name_of)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who follows a page in an empty folder, block by block, sees what the page shows."""
    monkeypatch.chdir(tmp_path)
    play = Play(page, tmp_path)
    for block in blocks(page):
        play.play(block)
    assert not play.code, f"the last command of {name_of(page)} ended with {play.code}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_kind_that_is_checked(page: Path) -> None:
    """A block says what it is, so that none goes unnoticed; `sh` is kept for the scripts of a checkout, which exist."""
    for block in blocks(page):
        assert block.language in SHOWN_AS, f"{block.where} is a block of {block.language or 'no language'}"
        if block.language == "sh" and block.title is None:
            words = block.text.split()
            assert all((ROOT / word).exists() for word in words if word.startswith("scripts/")), block.where
            assert not any(line.startswith(("segue", "$ segue")) for line in block.text.splitlines()), (
                f"{block.where} should be a console block"
            )


def test_the_extras_that_the_pages_name_exist() -> None:
    """`pip install ".[...]"` and `"segue[...]"` name extras that there are."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        for named in re.findall(r'"(?:\.|segue)\[(\w+)\]"', page.read_text()):
            assert named in extras, f"{name_of(page)} names the extra {named}"


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("run 01a1fc42-4ccb-755f took 12 ms", "run 01b00000-aaaa-bbbb took 1.5 s", True),
        ("total 66", "total 67", False),
        ("one\n...\nfour", "one\ntwo\nthree\nfour", True),
        ("one\n...\nfour", "one\ntwo\nthree", False),
        ("one", "one\ntwo", False),
        ("one\ntwo", "one", False),
        ("a     b", "a  b", True),
        ("", "surprise", False),
    ],
)
def test_outputs_are_compared_loosely_and_not_blindly(expected: str, actual: str, same: bool) -> None:
    """Ids, times and gaps may differ; words, counts and lines may not."""
    assert (output_differs(expected, actual) is None) == same
