"""The list of security rules is true: each rule names tests, and each of them is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
RULES = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]


def names_in(path: Path) -> set[str]:
    """The names of the tests that a file defines."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.split(" | ")[0].strip("| "))
def test_a_rule_has_its_tests(rule: str) -> None:
    """Whatever a rule names is a test of this repository, and it names at least one."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", rule)
    assert named
    for path, name in named:
        assert name in names_in(ROOT / path), f"{path}::{name}"


def test_the_rules_are_numbered() -> None:
    """None is lost when another is put in."""
    assert [int(rule.split("|")[1]) for rule in RULES] == list(range(1, len(RULES) + 1))
    assert len(RULES) >= 16


def test_every_requirement_has_its_hash() -> None:
    """A file of requirements pins each package to a version and to the digests of its files."""
    for file in (ROOT / "requirements").glob("*.txt"):
        lines = [line for line in file.read_text().splitlines() if line and not line.lstrip().startswith("#")]
        packages = [place for place, line in enumerate(lines) if not line.startswith((" ", "-"))]
        assert packages
        for place in packages:
            assert "==" in lines[place], lines[place]
            assert "--hash=sha256:" in "".join(lines[place : place + 2]), lines[place]
