"""Where the time of a hand-off goes: W1 in `fast`, with a stamp of the clock at the border of each part.

Beside it stands what a few of the parts take alone, in a loop of nothing else: so much no hand-off that is checked at
both ends and kept by SQLite can save.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any, TextIO
from unittest.mock import patch

from pydantic import TypeAdapter

from benchmarks import machine, raw_rows, segue_rows, workloads
from benchmarks.workloads import Packet, Sizes, first_packet, hop_pairs
from segue.engine.attempts.runner import Runner
from segue.engine.engine import Engine
from segue.engine.flow.committer import Committer as EngineCommitter
from segue.engine.inputs.binding import Binder
from segue.stores.sqlite.file.committing import Committer as StoreCommitter

PARTS = {
    "seal": "the output to JSON, read back and checked, the rest of the envelope to JSON, the digest",
    "decide": "what the outcome means for dependents and for the run, and a place for the next task",
    "to the store": "the batch, the write lock, the transaction",
    "begin": "`BEGIN IMMEDIATE`",
    "statements": "the hand-off, the end of the task, the dependent with its claim, two events",
    "rows": "what is bound to the statements: rows, events, pins, and the claims that go back",
    "commit": "`COMMIT`: the pages into the write-ahead log",
    "back": "the lock, wake-ups of observers, the answer to each settlement",
    "next task": "an attempt, its context and its task of the event loop, and one turn of the loop",
    "inputs": "the hand-offs that the claim names, checked by the receiver's schema, and its envelope",
}
"""Each part by its name, in their order, and what it does."""

LOOPS = 2_000

_BORDERS = {"BEGIN": ("to the store", "begin"), "COMMIT": ("rows", "commit")}
"""The parts that end before and after a statement, by its first word; any other comes after its rows."""


@dataclass(frozen=True)
class Parts:
    """What was found out. Medians, in microseconds; the fields are the fields of the JSON."""

    machine: machine.Facts
    hops: int
    hop_us: float
    parts_us: dict[str, float]
    """By the names of `PARTS`."""
    alone_us: dict[str, float]
    """What is in the parts and cannot be saved, measured alone."""

    def as_json(self) -> dict[str, object]:
        """The parts as plain data."""
        return asdict(self)


class Stamps:
    """The time at each border, in the order in which they were passed."""

    def __init__(self) -> None:
        self.passed: list[tuple[int, str]] = []

    def passing(self, border: str) -> None:
        """A border is passed now."""
        self.passed.append((time.perf_counter_ns(), border))

    def after(self, function: Callable[..., Any], border: str) -> Callable[..., Any]:
        """The function, which passes a border when it ends."""

        @wraps(function)
        def stamped(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            finally:
                self.passing(border)

        return stamped

    def before(self, function: Callable[..., Any], border: str) -> Callable[..., Any]:
        """The function, which passes a border when it begins."""

        @wraps(function)
        def stamped(*arguments: Any, **named: Any) -> Any:
            self.passing(border)
            return function(*arguments, **named)

        return stamped

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Stamp what runs inside."""
        connect = StoreCommitter._connect

        def stamped_connect(committer: StoreCommitter) -> None:
            connect(committer)
            committer._cursor = StampedCursor(committer._cursor, self)  # type: ignore[assignment]

        with (
            patch.object(Runner, "_seal", self.after(Runner._seal, "seal")),
            patch.object(EngineCommitter, "put_alone", self.before(EngineCommitter.put_alone, "decide")),
            patch.object(StoreCommitter, "_connect", stamped_connect),
            patch.object(Engine, "_begin", self.before(Engine._begin, "back")),
            patch.object(Binder, "arguments_at_hand", self.before(Binder.arguments_at_hand, "next task")),
        ):
            yield


class StampedCursor:
    """The cursor of a transaction, with a stamp before and after each call."""

    def __init__(self, cursor: Any, stamps: Stamps) -> None:
        self._cursor = cursor
        self._stamps = stamps

    def execute(self, statement: str, *parameters: Any) -> "StampedCursor":
        """As the cursor does."""
        return self._stamped(self._cursor.execute, statement, *parameters)

    def executemany(self, statement: str, *parameters: Any) -> "StampedCursor":
        """As the cursor does."""
        return self._stamped(self._cursor.executemany, statement, *parameters)

    def fetchall(self) -> list[Any]:
        """As the cursor does."""
        self._stamps.passing("rows")
        found: list[Any] = self._cursor.fetchall()
        self._stamps.passing("statements")
        return found

    def _stamped(self, call: Callable[..., Any], statement: str, *parameters: Any) -> "StampedCursor":
        before, after = _BORDERS.get(statement.partition(" ")[0], ("rows", "statements"))
        self._stamps.passing(before)
        call(statement, *parameters)
        self._stamps.passing(after)
        return self


def parts_of_hop(returned: int, started: int, passed: Sequence[tuple[int, str]]) -> dict[str, int]:
    """The nanoseconds of each part of a hop, from the borders that were passed in it: each border ends a part."""
    spent = dict.fromkeys(PARTS, 0)
    before = returned
    for at, part in passed:
        spent[part] += at - before
        before = at
    spent["inputs"] += started - before
    return spent


async def measure(sizes: Sizes, folder: Path) -> Parts:
    """Run chains one after another, and take each of their hops apart."""
    system, stamps, packet = segue_rows.SegueSystem("fast"), Stamps(), first_packet()
    hops: list[dict[str, int]] = []
    with stamps.taken():
        async with system.opened(folder, concurrency=workloads.CROWD_WIDTH) as runs:
            for number in range(sizes.warmup_runs + sizes.chain_runs):
                system.marks.clear()
                stamps.passed.clear()
                await runs.chain(packet)
                if number >= sizes.warmup_runs:
                    hops += [
                        parts_of_hop(
                            returned,
                            started,
                            [each for each in stamps.passed if returned <= each[0] < started],
                        )
                        for returned, started in hop_pairs(system.marks)
                    ]
            pages = raw_rows.pages_per_commit(folder / f"{segue_rows.STORE}-wal")
    return Parts(
        machine=machine.facts(folder),
        hops=len(hops),
        hop_us=median(sum(hop.values()) for hop in hops) / 1e3,
        parts_us={part: median(hop[part] for hop in hops) / 1e3 for part in PARTS},
        alone_us=_alone(folder, round(pages)),
    )


def _alone(folder: Path, pages: int) -> dict[str, float]:
    adapter, packet = TypeAdapter(Packet), first_packet()
    document = adapter.dump_json(packet)
    raw = raw_rows.RawStore(folder, "fast", pages)
    try:
        return {
            "the output to JSON": _each_us(lambda: adapter.dump_json(packet)),
            "the output checked, twice": 2 * _each_us(lambda: adapter.validate_json(document)),
            "its digest": _each_us(lambda: sha256(document).hexdigest()),
            f"a raw commit of {pages} pages": _each_us(raw.commit),
        }
    finally:
        raw.close()


def _each_us(call: Callable[[], object]) -> float:
    nanoseconds = []
    for _ in range(LOOPS):
        began = time.perf_counter_ns()
        call()
        nanoseconds.append(time.perf_counter_ns() - began)
    return median(nanoseconds) / 1e3


def show(parts: Parts, out: TextIO) -> None:
    """Write the parts as a table in Markdown."""
    print("| part | µs | what it does |\n|---|---|---|", file=out)
    for part, what in PARTS.items():
        print(f"| {part} | {parts.parts_us[part]:.0f} | {what} |", file=out)
    print(f"| a hop | {parts.hop_us:.0f} | median of {parts.hops:,} |\n", file=out)
    for what, microseconds in parts.alone_us.items():
        print(f"- alone, {what}: {microseconds:.1f} µs", file=out)
    print(f"- {machine.told(parts.machine)}", file=out)
