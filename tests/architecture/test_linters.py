"""The rules of the linters are on: what is planted is refused, with a remedy, where it has to be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ruff(path: str, text: str) -> dict[str, str]:
    """Return the codes and messages that ruff has for a text, were it the file at that path."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format=json", "--stdin-filename", path, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=ROOT)
    return {problem["code"]: problem["message"] for problem in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("TID251", "import time\n\nSTARTED = time.time()\n"),
        ("TID251", "from time import time\n"),
        ("TID251", "import datetime\n\nSTARTED = datetime.datetime.now(datetime.UTC)\n"),
        ("TID251", "import asyncio\n\nasyncio.run(asyncio.sleep(1))\n"),
        ("TID251", "import random\n"),
        ("TID251", "import sqlite3\n"),
        ("TID251", "import pickle\n"),
        ("T201", 'print("here")\n'),
        ("E722", "try:\n    A = 1\nexcept:\n    A = 2\n"),
        ("BLE001", "try:\n    A = 1\nexcept Exception:\n    A = 2\n"),
        ("FIX002", "# TO" + "DO: later\n"),
        ("PLC0415", "def run() -> None:\n    import json\n\n    json.dumps(1)\n"),
        ("ANN201", "def run():\n    pass\n"),
        ("S608", 'def find(run: str) -> str:\n    return f"SELECT * FROM task WHERE run = {run}"\n'),
        ("PGH003", "A = 1  # type: ignore\n"),
    ],
)
def test_ruff_refuses(code: str, text: str) -> None:
    """What the rules forbid in the engine is found there."""
    assert code in ruff("src/segue/engine/planted.py", text)


def test_ruff_names_the_remedy() -> None:
    """Whoever asks for the time is told whom to ask instead."""
    assert "segue.ports.clock" in ruff("src/segue/engine/planted.py", "from time import time\n")["TID251"]


@pytest.mark.parametrize(
    ("code", "path", "text"),
    [
        ("TID251", "src/segue/ports/clock.py", "import time\n\nSTARTED = time.time()\n"),
        ("T201", "src/segue/cli/run.py", 'print("done")\n'),
        ("PLC0415", "src/segue/cli/run.py", "def run() -> None:\n    import json\n\n    json.dumps(1)\n"),
    ],
)
def test_ruff_allows_where_it_belongs(code: str, path: str, text: str) -> None:
    """The clock may look at the clock, the command line may print and import late."""
    assert code not in ruff(path, text)


def lint_imports(source: Path, **files: str) -> str:
    """Return what import-linter says of a package `segue` with these files, under the project's contracts."""
    for layer in ("cli", "testing", "demo", "app", "engine", "stores", "ports", "domain"):
        package = source / "segue" / layer
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    for name in ("__init__", "errors"):
        (source / "segue" / f"{name}.py").touch()
    for name, text in files.items():
        (source / "segue" / name.replace("__", "/")).with_suffix(".py").write_text(text)
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
    ]
    command += ["--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=source, env={"PYTHONPATH": str(source)}
    )
    return done.stdout + done.stderr


def test_the_contracts_keep_a_tidy_house(tmp_path: Path) -> None:
    """Imports that go down are allowed, the demo's through the front door too."""
    said = lint_imports(
        tmp_path,
        engine__run="from segue.ports import store\nfrom segue.domain import graph\n",
        ports__store="from segue.domain import graph\n",
        domain__graph="from segue import errors\nimport json\n",
        demo__review="from segue import agent\n",
    )
    assert "Contracts: 5 kept, 0 broken." in said


@pytest.mark.parametrize(
    ("broken", "file", "text"),
    [
        ("an import only goes down", "domain__graph", "import segue.ports\n"),
        ("an import only goes down", "engine__run", "import segue.stores\n"),
        ("an import only goes down", "testing__suite", "import segue.demo\n"),
        ("an import only goes down", "newcomer", ""),
        ("a room of the domain uses those before it", "domain__newcomer", ""),
        ("the domain is pure", "domain__graph", "import asyncio\n"),
        ("the domain is pure", "domain__graph", "from time import monotonic\n"),
        ("only stores import a database driver", "engine__run", "import apsw\n"),
        ("nobody inside uses the front door", "cli__run", "from segue import agent\n"),
    ],
)
def test_the_contracts_refuse(tmp_path: Path, broken: str, file: str, text: str) -> None:
    """An import that goes up, sideways, out of the domain or through the front door breaks its contract."""
    said = lint_imports(tmp_path, **{file: text})
    assert f"{broken} BROKEN" in said
    assert "1 broken." in said
