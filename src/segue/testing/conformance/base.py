"""What every part of the suite stands on: a store of one's own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from segue.ports.store import Store
from segue.testing.clock import ManualClock
from segue.testing.conformance.desk import Desk


@pytest.mark.asyncio
class Suite:
    """A part of the suite. A subclass says how to make a store; pytest-asyncio runs the tests."""

    async def make_store(self, clock: ManualClock) -> Store:
        """An empty store that is open and takes its time from `clock`."""
        raise TypeError(f"{type(self).__name__} must say how to make a store: override make_store")

    @pytest_asyncio.fixture
    async def desk(self) -> AsyncIterator[Desk]:
        """A fresh store, closed after the test."""
        clock = ManualClock()
        store = await self.make_store(clock)
        yield Desk(store, clock)
        await store.close()
