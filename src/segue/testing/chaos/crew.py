"""The processes of `segue chaos`: started, killed, stopped, let go on, and listened to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from segue.ports.clock import Clock
from segue.testing.chaos.errand import DESKS
from segue.testing.chaos.failpoint import SPRUNG, Failpoint
from segue.testing.chaos.outside import CALLS_VARIABLE, LEDGER_VARIABLE, PAYMENTS_VARIABLE
from segue.testing.chaos.workload import CODE_VARIABLE, OLD_CODE, WORK_VARIABLE


class Crew:
    """Starts workers on one store. `folder` gets their journals, ledgers and what they said."""

    def __init__(
        self,
        url: str,
        folder: Path,
        durability: str,
        lease_seconds: float,
        work_seconds: float,
        clock: Clock,
        desks: int = DESKS,
    ) -> None:
        self.url = url
        self.folder = folder
        self.clock = clock
        self.lease_seconds = lease_seconds
        self._durability = durability
        self._work_seconds = work_seconds
        self._desks = desks
        self._started = 0
        self.members: list[Member] = []
        for name in ("journals", "ledgers", "said"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    async def start(
        self, *, failpoint: Failpoint | None = None, runs: Sequence[int] = (), code: str = OLD_CODE
    ) -> Member:
        """A worker that works until it is told to end or, with `runs`, until these have ended."""
        self._started += 1
        name = f"{self._started:04d}"
        journal = self.folder / "journals" / name
        arguments = [str(self.folder), self.url, str(journal), "--durability", self._durability]
        arguments += ["--lease", str(self.lease_seconds), "--desks", str(self._desks)]
        arguments += ["--failpoint", str(failpoint)] if failpoint is not None else []
        arguments += ["--runs", *map(str, runs)] if runs else []
        environment = {
            **os.environ,
            LEDGER_VARIABLE: str(self.folder / "ledgers" / name),
            PAYMENTS_VARIABLE: str(self.payments),
            CALLS_VARIABLE: str(self.calls),
            WORK_VARIABLE: str(self._work_seconds),
            CODE_VARIABLE: code,
        }
        with (self.folder / "said" / name).open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "segue.testing.chaos.worker",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
            )
        member = Member(name, process, failpoint)
        self.members.append(member)
        return member

    async def disband(self) -> None:
        """Kill whoever is left."""
        for member in self.members:
            member.kill()
        for member in self.members:
            await member.ended()

    @property
    def has_sprung(self) -> bool:
        """Whether the fault of a member has happened."""
        return (self.folder / SPRUNG).exists()

    @property
    def payments(self) -> Path:
        """The file that stands for the world outside."""
        return self.folder / "payments"

    @property
    def calls(self) -> Path:
        """The file that says what each call of a model took."""
        return self.folder / "calls"

    def said(self) -> dict[str, str]:
        """What each member wrote to its standard error."""
        return {
            path.name: path.read_text(errors="replace") for path in sorted((self.folder / "said").iterdir())
        }


class Member:
    """One worker process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, failpoint: Failpoint | None) -> None:
        self.name = name
        self.failpoint = failpoint
        self._process = process

    @property
    def alive(self) -> bool:
        """Whether the process is there, stopped or not."""
        return self._process.returncode is None

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is cleaned up."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """SIGSTOP: it does nothing more, and does not know."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT: it goes on with what it believed."""
        self._signal(signal.SIGCONT)

    def dismiss(self) -> None:
        """Let it end in its own time: its input ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        return await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            self._process.send_signal(number)
