"""What the scripts' set-up says on machines where it cannot work, and nothing when it is done."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FINISHED = 'echo "dev $(cat requirements/dev.txt pyproject.toml | cksum)"'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout that was never set up, beside an empty folder that will be PATH."""
    checkout = tmp_path / "checkout"
    for folder in ("scripts", "requirements"):
        shutil.copytree(ROOT / folder, checkout / folder)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "cat", "cksum", "date", "dirname", "basename", "sed", "ln", "rm", "readlink", "mkdir"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return checkout


def program(path: Path, body: str) -> None:
    """Write a shell program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def demo(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run scripts/demo with nothing on PATH but the machine that was built."""
    environment = {"PATH": str(checkout.parent / "bin"), "HOME": str(checkout.parent)}
    return subprocess.run(
        ["sh", checkout / "scripts" / "demo", "here"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_python(checkout: Path) -> None:
    """A machine without Python is told what is needed."""
    done = demo(checkout)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, PATH has none at all." in done.stderr


def test_an_old_python(checkout: Path) -> None:
    """A Python that is too old is named with its version."""
    program(checkout.parent / "bin" / "python3", 'case "$2" in *exit*) exit 1 ;; *) echo 3.9 ;; esac')
    done = demo(checkout)
    assert done.returncode == 1
    assert "PATH has python3 (3.9)." in done.stderr


def test_a_python_without_pip(checkout: Path) -> None:
    """A Python without pip is named, with the way to get pip."""
    program(checkout.parent / "bin" / "python3", 'case "$1" in -m) exit 1 ;; *) echo 3.11 ;; esac')
    done = demo(checkout)
    assert done.returncode == 1
    assert "python3 has no pip. Install it (on Debian: apt install python3-pip)" in done.stderr


def test_a_finished_set_up_is_left_alone(checkout: Path) -> None:
    """With an environment from today's requirements the script says nothing and runs what it is for."""
    program(checkout / ".venv" / "bin" / "python", "exit 0")
    program(checkout / ".venv" / "bin" / "segue", 'echo "segue $*"')
    stamp = subprocess.run(FINISHED, shell=True, cwd=checkout, capture_output=True, check=True)
    (checkout / ".venv" / "set-up").write_bytes(stamp.stdout)
    done = demo(checkout)
    assert (done.stdout, done.stderr, done.returncode) == ("segue demo here\n", "", 0)

    with (checkout / "requirements" / "dev.txt").open("a") as requirements:
        requirements.write("# changed\n")
    assert "Python 3.11 or newer is needed" in demo(checkout).stderr


def test_a_lock_left_behind_is_taken(checkout: Path) -> None:
    """The lock of a set-up that was killed does not stop the next one."""
    finished = subprocess.Popen(["sh", "-c", "exit"])
    finished.wait()
    os.symlink(str(finished.pid), checkout / ".set-up.lock")
    done = demo(checkout)
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "waiting" not in done.stderr
