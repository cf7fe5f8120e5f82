"""Stores on files of their own."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from segue.stores.sqlite import Durability, SqliteStore
from segue.testing import ManualClock
from segue.testing.conformance.desk import Desk

OpenStore = Callable[..., "SqliteStore"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store is to be made."""
    return tmp_path / "segue.db"


@pytest_asyncio.fixture
async def open_desk(path: Path) -> AsyncIterator[Callable[..., object]]:
    """Opens stores on one file, warmed up by a first commit, and closes them after the test."""
    opened: list[SqliteStore] = []

    async def open_one(durability: Durability = "fast", *, inline: bool = True) -> Desk:
        clock = ManualClock()
        store = SqliteStore(path, durability, clock)
        store.idle = lambda: inline
        await store.open()
        opened.append(store)
        await store.register_worker("first", "{}")
        return Desk(store, clock)

    yield open_one
    for store in opened:
        await store.close()
