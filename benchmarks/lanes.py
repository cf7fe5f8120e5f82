"""A lane measures one system in a process of its own, so that no system's imports weigh on another.

Both ends are here: `Lane` in the process that a person started, `serve` in the child. They speak one JSON
object a line: a request names workload, sizes and folder; the reply has the figures or the error. The child
may run on another interpreter, and stays for the whole benchmark, so that only its first repetition is
cold.
"""

import json
import os
import select
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.workloads import Figures, Sizes

ROOT = Path(__file__).resolve().parent.parent
REPLY_SECONDS = 1800.0

Measure = Callable[[str, Sizes, Path], Figures]
"""Measures one workload with these sizes in an empty folder."""


class LaneFailed(Exception):
    """A lane's process ended, stayed silent for too long, or could not measure what it was asked for."""


class Lane:
    """One system in a child process that measures on request."""

    def __init__(self, system: str, command: Sequence[str]) -> None:
        """Start the child: `command` is an interpreter and its arguments, run at the repository's root."""
        self.system = system
        try:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            raise LaneFailed(f"{system}: cannot start {command[0]}: {error.strerror}") from error

    def measure(self, workload: str, sizes: Sizes, folder: Path) -> Figures:
        """Have the child measure one repetition; raises LaneFailed with the child's own words."""
        request = {"workload": workload, "sizes": asdict(sizes), "folder": str(folder)}
        reply = self._ask(json.dumps(request).encode() + b"\n")
        if "error" in reply:
            raise LaneFailed(f"{self.system}, {workload}: {reply['error']}")
        return {name: float(value) for name, value in reply["figures"].items()}

    def _ask(self, line: bytes) -> dict[str, dict[str, float]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(line)
        except BrokenPipeError as error:
            raise LaneFailed(f"{self.system}: its process has ended; the reason is above") from error
        if not select.select([stdout], [], [], REPLY_SECONDS)[0]:
            raise LaneFailed(f"{self.system}: no answer within {REPLY_SECONDS:.0f} s")
        answer = stdout.readline()
        if not answer:
            raise LaneFailed(f"{self.system}: its process has ended; the reason is above")
        reply: dict[str, dict[str, float]] = json.loads(answer)
        return reply

    def close(self) -> None:
        """End the child, at once when it does not end by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _next_line() -> str:
    """The next request, or nothing at the end; a person's Ctrl-C between requests is an end too."""
    try:
        return sys.stdin.readline()
    except KeyboardInterrupt:
        return ""


def serve(measure: Measure) -> None:
    """Answer requests until the parent closes the pipe; what the system prints goes to stderr."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while line := _next_line():
        request = json.loads(line)
        try:
            figures = measure(request["workload"], Sizes(**request["sizes"]), Path(request["folder"]))
            reply: dict[str, object] = {"figures": figures}
        except Exception as error:  # noqa: BLE001 - the parent reports it and decides
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        except KeyboardInterrupt:
            return
        print(json.dumps(reply), file=replies, flush=True)
