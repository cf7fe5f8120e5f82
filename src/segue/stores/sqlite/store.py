"""The store on one SQLite file, for any number of processes of one machine."""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from segue.domain.decisions import Append, Control, Decision
from segue.domain.records import (
    Amounts,
    Claim,
    ClaimRequest,
    NewRun,
    PayloadRecord,
    Settled,
    Settlement,
    Submitted,
    Token,
    Verdict,
)
from segue.domain.rows import Expired, StepRecord
from segue.domain.running.spending import Charged
from segue.ports.clock import Clock, SystemClock
from segue.ports.store import Note
from segue.stores.looking import Looks
from segue.stores.sqlite import reading
from segue.stores.sqlite.consumer_verbs import ConsumerVerbs
from segue.stores.sqlite.file.connection import Durability
from segue.stores.sqlite.file.files import Opened, folder_beside, open_files
from segue.stores.sqlite.file.liveness import LockedFiles
from segue.stores.sqlite.file.notifier import FileNotifier
from segue.stores.sqlite.pool_verbs import PoolVerbs
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions import (
    claiming,
    controlling,
    growing,
    remembering,
    reviewing,
    running,
    settling,
    spending,
)
from segue.stores.sqlite.transitions.payloads import register


class SqliteStore(ConsumerVerbs, PoolVerbs):
    """
    Runs, tasks, hand-offs and events in the file at `path`, with what belongs to it in the folder `path` + `.d`.

    `durability` is "durable" (the default: an acknowledged write survives the power going) or "fast" (it survives the
    process being killed). `idle` is asked before a durable commit whether nothing else needs the event loop, so that
    the loop may wait for the disk itself; an engine sets it.
    """

    def __init__(
        self, path: str | os.PathLike[str], durability: Durability = "durable", clock: Clock | None = None
    ) -> None:
        self._path = Path(path)
        self._durability: Durability = durability
        self._clock: Clock = clock or SystemClock()
        self._opened: Opened | None = None
        self._looks = Looks()
        self._found_work = False
        self.idle: Callable[[], bool] = _never
        self.liveness = LockedFiles(folder_beside(self._path.resolve()) / "workers")
        """Says which workers on this machine are dead; of use while the store is open."""

    @property
    def notifier(self) -> FileNotifier:
        """Says that something was committed, by this process or another."""
        return self._files().notifier

    async def open(self) -> None:
        """Open or create the file. Raises `StoreUnavailable`, `StoreTooNew`, `StoreCorrupt` or `StoreFull`."""
        if self._opened is None:
            self._opened = await open_files(self._path, self._durability, self._clock)

    async def close(self) -> None:
        """Commit what is waiting and let go of every file."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
            self.liveness.close()

    def _write(self, operation: Callable[[Transaction], Any], *, quiet: bool = False) -> Awaitable[Any]:
        inline = self._durability == "fast" or self.idle()
        return self._files().writer.run(operation, inline=inline, quiet=quiet)

    async def submit(self, runs: Sequence[NewRun], worker: str, lease_seconds: float) -> Sequence[Submitted]:
        """Create runs with their roots ready or claimed."""
        answer: Sequence[Submitted] = await self._write(
            lambda tx: running.submit(tx, runs, worker, lease_seconds)
        )
        return answer

    async def settle(
        self,
        settlements: Sequence[Settlement],
        worker: str,
        lease_seconds: float,
        claim: ClaimRequest | None = None,
    ) -> tuple[Sequence[Settled], Sequence[Claim]]:
        """End attempts, release their dependents, and claim."""
        answer: tuple[Sequence[Settled], Sequence[Claim]] = await self._write(
            lambda tx: settling.settle(tx, settlements, worker, lease_seconds, claim, self._looks)
        )
        return answer

    async def claim(self, request: ClaimRequest) -> Sequence[Claim]:
        """Claim ready tasks, oldest first. Where there is nothing to claim, nothing is written."""
        if not (self._found_work or request.tasks or self._may_claim(request)):
            return ()
        answer: Sequence[Claim] = await self._write(
            lambda tx: claiming.claim_ready(tx, request, self._looks), quiet=True
        )
        # Where there was something there may be more, and a look beforehand would only read everything twice.
        if not request.tasks:
            self._found_work = bool(answer)
        return answer

    def _may_claim(self, request: ClaimRequest) -> bool:
        now, wall = self._clock.boot(), self._clock.wall()
        found = self._readers().near(lambda connection: reading.may_claim(connection, request, now, wall))
        if not found:
            self._looks.note(request.agents, now, wall)
        return found

    async def renew(self, tokens: Sequence[Token], lease_seconds: float) -> Sequence[bool]:
        """Lengthen leases."""
        answer: Sequence[bool] = await self._write(lambda tx: claiming.renew(tx, tokens, lease_seconds))
        return answer

    async def expire(self, dead_workers: Collection[str] = (), past_lease: bool = True) -> Sequence[Expired]:
        """
        Take back what dead workers hold, and what is past its lease or deadline.

        Where nothing is claimed nothing is written. A lease must have ended before the call: while a write waits for
        the file, nobody can renew.
        """
        if not self._readers().near(reading.any_claimed):
            return ()
        ended_by = self._clock.boot() if past_lease else -math.inf
        answer: Sequence[Expired] = await self._write(lambda tx: claiming.expire(tx, dead_workers, ended_by))
        return answer

    async def note(self, notes: Sequence[Note]) -> Sequence[Verdict]:
        """Append remarks of running attempts."""
        answer: Sequence[Verdict] = await self._write(lambda tx: claiming.note(tx, notes))
        return answer

    async def append(self, token: Token, append: Append) -> Verdict:
        """Append a task that an attempt delegates."""
        answer: Verdict = await self._write(lambda tx: growing.append(tx, token, append))
        return answer

    async def reserve(self, token: Token, name: str, asked: Amounts, child: str | None = None) -> Charged:
        """Set amounts aside for a running attempt."""
        answer: Charged = await self._write(lambda tx: spending.reserve(tx, token, name, asked, child))
        return answer

    async def spend(self, token: Token, name: str, spent: Amounts) -> Charged:
        """Put what was spent in the place of what was reserved."""
        answer: Charged = await self._write(lambda tx: spending.spend(tx, token, name, spent))
        return answer

    async def record(self, token: Token, steps: Sequence[StepRecord]) -> Verdict:
        """Write down what an attempt has finished or is about to do."""
        answer: Verdict = await self._write(lambda tx: remembering.record(tx, token, steps))
        return answer

    async def resolve(self, run: str, node: str, item: int, step: StepRecord, data: str | None) -> Verdict:
        """Write a person's word on an effect in doubt."""
        answer: Verdict = await self._write(lambda tx: remembering.resolve(tx, run, node, item, step, data))
        return answer

    async def review(self, decision: Decision) -> Verdict:
        """Write what was decided on a hand-off in review."""
        answer: Verdict = await self._write(lambda tx: reviewing.review(tx, decision))
        return answer

    async def control(self, control: Control) -> Verdict:
        """Do what somebody wants with a run, once."""
        answer: Verdict = await self._write(lambda tx: controlling.control(tx, control))
        return answer

    async def register(
        self, payloads: Sequence[PayloadRecord], schemas: Sequence[tuple[str, str]], where: str
    ) -> None:
        """Register the payloads of a hand-off that is about to be settled."""
        await self._write(lambda tx: register(tx, payloads, schemas, where))

    async def register_worker(self, worker: str, about: str) -> None:
        """Make a worker known."""
        await self._write(lambda tx: tx.rows(SQL.register_worker, (worker, about)))

    async def forget_workers(self, workers: Collection[str]) -> None:
        """Forget workers that hold no claims."""
        await self._write(lambda tx: tx.rows_of_each(SQL.forget_worker, [(worker,) for worker in workers]))

    async def prune(self, ended_before: float) -> int:
        """Delete runs that ended before a time, some at a time, in the writer's thread."""
        total = 0
        while True:
            writer = self._files().writer
            pruned: int = await writer.run(lambda tx: running.prune(tx, ended_before), inline=False)
            if not pruned:
                return total
            total += pruned


def _never() -> bool:
    return False
