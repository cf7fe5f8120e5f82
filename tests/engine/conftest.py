"""Segue on each store that there is, opened for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from segue import Segue

Open = Callable[..., Awaitable[Segue]]


@pytest.fixture(params=["memory", "sqlite-fast", "sqlite-durable"])
def store_kind(request: pytest.FixtureRequest) -> str:
    """Which store a test runs on."""
    return str(request.param)


@pytest.fixture
async def open_segue(store_kind: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a Segue on the store of this test; everything is closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(**settings: Any) -> Segue:
            if store_kind == "memory":
                return await stack.enter_async_context(Segue("memory:", **settings))
            durability = store_kind.removeprefix("sqlite-")
            return await stack.enter_async_context(
                Segue(tmp_path / "segue.db", durability=durability, **settings)
            )

        yield open_one


@pytest.fixture
async def segue(open_segue: Open) -> Segue:
    """An open Segue."""
    return await open_segue()
