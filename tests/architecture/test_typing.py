"""The public API has the types that it promises: files of uses are checked, never run.

Both checkers report an ignore that nothing needs, so a use marked as an error has to be one.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKERS = {
    "mypy": ["-m", "mypy", "--strict"],
    "basedpyright": ["-m", "basedpyright", "--warnings"],
}


def check(checker: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run one checker, with the project's settings, over a file or folder."""
    command = [sys.executable, *CHECKERS[checker], str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_uses_of_the_api_type_check(checker: str) -> None:
    """Every use in tests/typing has the type that is written beside it."""
    done = check(checker, ROOT / "tests" / "typing")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_wrong_use_is_seen(checker: str, tmp_path: Path) -> None:
    """The checkers see the types of the package: text where a number is due is an error, not Any."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from segue import Segue\n\nsegue: int = Segue('segue.db')\n")
    done = check(checker, wrong)
    assert done.returncode == 1
    assert '"Segue"' in done.stdout
    assert '"int"' in done.stdout
