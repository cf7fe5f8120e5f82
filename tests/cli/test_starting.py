"""What the command line costs and says before it does anything."""

import subprocess
import sys

import typer.main

from segue.cli.main import GROUPS, app
from segue.cli.output import EXIT_CODES, block, plain
from segue.errors import SegueError
from tests.cli.conftest import Project


def test_help_loads_nothing() -> None:
    """`segue --help` imports typer and rich, and nothing of Segue but its command line and errors."""
    code = (
        "import sys; from segue.cli import main; from segue.cli.main import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('pydantic', 'apsw', 'asyncio_')\n"
        "       or name.startswith(('segue.app', 'segue.engine', 'segue.stores', 'segue.domain'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command_and_code(project: Project) -> None:
    """The overview fits 80 columns, names each command once and uncut, by what it is for, and all exit codes."""
    shown = project.run("--help").stdout
    named = [name for _, names in GROUPS for name in names]
    assert sorted(named) == sorted(typer.main.get_group(app).commands)
    for command in named:
        assert shown.count(f"\n  {command} ") == 1
    assert "..." not in shown[shown.index(f"{GROUPS[0][0]}:") :]
    for code, meaning in EXIT_CODES:
        assert f"{code:>3}  {meaning}" in shown


def test_every_error_has_a_documented_code() -> None:
    """No error ends with a code that the help does not explain."""
    kinds = [SegueError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.exit_code for kind in kinds} <= {code for code, _ in EXIT_CODES}


def test_version(project: Project) -> None:
    """The version is that of the package."""
    assert project.run("--version").stdout.startswith("segue 0.")


def test_plain_escapes_what_a_terminal_obeys() -> None:
    """Escape sequences, line ends, deletes and changes of direction are shown and not sent."""
    assert plain("a\x1b[31mb\r\nc\x9b2J\u202ed\x7f") == "a\\x1b[31mb\\r\\nc\\x9b2J\\u202ed\\x7f"
    assert plain("ü 漢 – ok\u202f! \xa0👩\u200d💻") == "ü 漢 – ok\u202f! \xa0👩\u200d💻"


def test_a_result_keeps_its_lines_and_tabs() -> None:
    """What is written into a file from a pipe is still a table of tabs; what a terminal obeys is shown all the same."""
    assert block("a\tb\n\n\t1 \t2\r\n") == "a\tb\n\n\t1 \t2\\r\n"
