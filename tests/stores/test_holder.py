"""A process that was stopped while it held the write lock does not keep the others waiting."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.stores.sqlite.file import holder
from segue.stores.sqlite.file.holder import holder_of, is_stopped
from segue.stores.sqlite.file.lock import WriteLock

STOP_WITH_LOCK = """
import os, signal, sys
from pathlib import Path
from segue.stores.sqlite.file.lock import WriteLock
lock = WriteLock(Path(sys.argv[1]))
lock.acquire()
os.kill(os.getpid(), signal.SIGSTOP)
lock.release()
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who holds a lock")


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A process that was stopped with the lock in its hands."""
    path = tmp_path / "write.lock"
    process = subprocess.Popen([sys.executable, "-c", STOP_WITH_LOCK, str(path)], stdin=subprocess.PIPE)
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert (pid, os.WIFSTOPPED(status)) == (process.pid, True)
    with process:
        yield path, process
        process.kill()


def test_who_was_stopped_with_the_lock_lets_go_of_it(stopped: tuple[Path, subprocess.Popen[bytes]]) -> None:
    """Whoever waits gets the lock, and the process that had it is stopped as before."""
    path, process = stopped
    assert holder_of(path) == process.pid
    lock = WriteLock(path)
    lock.acquire()
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert (pid, os.WIFSTOPPED(status)) == (process.pid, True)
    assert holder_of(path) == os.getpid()
    lock.release()
    process.send_signal(signal.SIGCONT)
    process.communicate()
    assert process.returncode == 0
    lock.close()


def test_without_help_it_would_keep_it(
    stopped: tuple[Path, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody lets the holder go on, whoever waits gets the lock no sooner than it goes on by itself."""
    path, process = stopped
    looked = threading.Event()
    monkeypatch.setattr(holder, "_let_go_on", lambda path: looked.set())
    waiting = threading.Thread(target=WriteLock(path).acquire, daemon=True)
    waiting.start()
    assert looked.wait(30.0)
    assert waiting.is_alive()
    assert is_stopped(process.pid)
    process.send_signal(signal.SIGCONT)
    waiting.join(30.0)
    assert not waiting.is_alive()


def test_a_free_lock_has_no_holder(tmp_path: Path) -> None:
    """Nobody is named where nobody holds the lock, where there is no file, and where a process is gone."""
    path = tmp_path / "write.lock"
    assert holder_of(path) is None
    lock = WriteLock(path)
    assert holder_of(path) is None
    lock.acquire()
    assert holder_of(path) == os.getpid()
    lock.close()
    assert not is_stopped(os.getpid())
    assert not is_stopped(2**22 + 1)
