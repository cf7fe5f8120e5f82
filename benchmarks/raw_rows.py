"""Raw SQLite through apsw: the limit. The same bytes in the same number of pages, and nothing else.

How many pages a hand-off of Segue dirties is not assumed but read from its write-ahead log
(`pages_per_commit`), and the commits here dirty as many: one new row with the payload, and one changed row
on each other page. The log is grown once before the clock starts, since an fsync that extends a file costs
more than one that does not.
"""

import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import apsw

from benchmarks import workloads
from benchmarks.lanes import serve
from benchmarks.workloads import Figures, Sizes, first_packet, percentile

SYNCHRONOUS = {"fast": "PRAGMA synchronous = NORMAL", "durable": "PRAGMA synchronous = FULL"}
GROWN_LOG_BYTES = 8_000_000
SPREAD_PAGES = 256
FILLER = bytes(3_000)
"""More than half a page, so that each row of `spread` has a page to itself."""


class RawStore:
    """A SQLite file with a table that grows and a table whose rows each fill a page."""

    def __init__(self, folder: Path, durability: str, pages: int) -> None:
        self._durability = durability
        self._folder = folder
        self._other_pages = max(0, pages - 1)
        self._next_page = 0
        self._body = workloads.SUMMARY + workloads.DECISIONS[0] + first_packet().model_dump_json()
        self._connection = apsw.Connection(str(folder / "raw.db"))
        for statement in ("PRAGMA journal_mode = WAL", SYNCHRONOUS[durability], "PRAGMA mmap_size = 0"):
            self._connection.execute(statement)
        self._connection.execute("CREATE TABLE handoff (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        self._connection.execute("CREATE TABLE spread (id INTEGER PRIMARY KEY, version INTEGER, filler BLOB)")
        self._grow_log()

    def commit(self, rows: int = 1) -> None:
        """Commit this many hand-offs in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO handoff (body) VALUES (?)", [(self._body,)] * rows)
        dirty = "UPDATE spread SET version = version + 1 WHERE id = ?"
        self._connection.executemany(dirty, self._pages_to_dirty())
        self._connection.execute("COMMIT")

    def put(self, name: str, content: bytes) -> None:
        """Write a file as an artifact store must: under another name, synced, then renamed."""
        temporary, final = self._folder / f"{name}.part", self._folder / name
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            if self._durability == "durable":
                os.fsync(file.fileno())
        temporary.rename(final)
        if self._durability == "durable":
            descriptor = os.open(self._folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Checkpoint and close."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _grow_log(self) -> None:
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.executemany(
            "INSERT INTO spread (version, filler) VALUES (0, ?)", [(FILLER,)] * SPREAD_PAGES
        )
        for _ in range(GROWN_LOG_BYTES // (SPREAD_PAGES * 4096)):
            self._connection.execute("UPDATE spread SET version = version + 1")
        self._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        self._connection.execute("PRAGMA wal_autocheckpoint = 1000")

    def _pages_to_dirty(self) -> list[tuple[int]]:
        first = self._next_page
        self._next_page += self._other_pages
        return [(1 + number % SPREAD_PAGES,) for number in range(first, self._next_page)]


class RawSqlite:
    """Raw commits in one durability."""

    def __init__(self, durability: str, pages: int) -> None:
        self._durability = durability
        self._pages = pages
        self._measures = {"W1": self._commit_singly, "W3": self._commit_in_groups, "W4": self._commit_files}

    def measure(self, workload: str, sizes: Sizes, folder: Path) -> Figures:
        """Measure one repetition of W1, W3 or W4; the other workloads have no raw counterpart."""
        return self._measures[workload](sizes, folder)

    def _commit_singly(self, sizes: Sizes, folder: Path) -> Figures:
        hops = []
        with self._opened(folder) as store:
            for number in range((sizes.warmup_runs + sizes.chain_runs) * (workloads.CHAIN_LENGTH - 1)):
                began = time.perf_counter_ns()
                store.commit()
                if number >= sizes.warmup_runs * (workloads.CHAIN_LENGTH - 1):
                    hops.append(time.perf_counter_ns() - began)
        return {"p50_us": percentile(hops, 50) / 1e3, "p99_us": percentile(hops, 99) / 1e3}

    def _commit_in_groups(self, sizes: Sizes, folder: Path) -> Figures:
        groups = -(-sizes.crowd_chains * workloads.CHAIN_LENGTH // workloads.CROWD_WIDTH)
        with self._opened(folder) as store:
            began = time.perf_counter()
            for _ in range(groups):
                store.commit(rows=workloads.CROWD_WIDTH)
            seconds = time.perf_counter() - began
        return {"handoffs_per_s": groups * workloads.CROWD_WIDTH / seconds}

    def _commit_files(self, sizes: Sizes, folder: Path) -> Figures:
        seconds = []
        with self._opened(folder) as store:
            for number in range((1 + sizes.pile_runs) * workloads.CHAIN_LENGTH):
                content = os.urandom(workloads.PIECE_BYTES)
                began = time.perf_counter()
                store.put(f"piece-{number}", content)
                store.commit()
                seconds.append(time.perf_counter() - began)
        return {"hop_ms": percentile(seconds, 50) * 1e3}

    @contextmanager
    def _opened(self, folder: Path) -> Iterator[RawStore]:
        store = RawStore(folder, self._durability, self._pages)
        yield store
        store.close()


def pages_per_commit(log: Path) -> int:
    """How many pages the median commit in a SQLite write-ahead log holds.

    The log is the file `<database>-wal` while its database is open. Frames left from before the last restart
    of the log have another salt and are not counted. Raises ValueError when the log holds no commit.
    """
    content = log.read_bytes()
    if len(content) < 32:
        raise ValueError(f"{log} holds no commit")
    (page_bytes,) = struct.unpack_from(">I", content, 8)
    salt = content[16:24]
    commits, frames = [], 0
    for offset in range(32, len(content) - 23 - page_bytes, 24 + page_bytes):
        database_pages, frame_salt = struct.unpack_from(">4xI8s", content, offset)
        if frame_salt != salt:
            break
        frames += 1
        if database_pages:
            commits.append(frames)
            frames = 0
    if not commits:
        raise ValueError(f"{log} holds no commit")
    return round(median(commits))


if __name__ == "__main__":
    serve(RawSqlite(durability=sys.argv[1], pages=int(sys.argv[2])).measure)
