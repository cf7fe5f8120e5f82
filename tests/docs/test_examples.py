"""Every example runs in an empty folder and prints what its docstring says."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, output_differs

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SAYS = "It prints:\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(example: Path, tmp_path: Path) -> None:
    """A person who runs the file sees what its docstring promises, and nothing else."""
    documentation = ast.get_docstring(ast.parse(example.read_text()))
    assert documentation is not None
    assert SAYS in documentation, f"{example.name} does not say what it prints"
    expected = textwrap.dedent(documentation.partition(SAYS)[2])
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert output_differs(expected, done.stdout) is None, done.stdout


def test_every_example_is_listed() -> None:
    """The list of examples names each of them, with a sentence, and the site shows each of them."""
    listed = (ROOT / "examples" / "README.md").read_text()
    shown = (ROOT / "docs" / "examples.md").read_text()
    for example in EXAMPLES:
        assert f"({example.name})" in listed, f"examples/README.md does not name {example.name}"
        assert f'"examples/{example.name}"' in shown, f"docs/examples.md does not show {example.name}"
