"""The store that a command is about, and the run in it. It must be there: looking never makes one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from segue.errors import StoreUnavailable, UsageError

if TYPE_CHECKING:
    from segue.app.host import Host

T = TypeVar("T")

_RUN = typer.Argument(metavar="RUN", help="A run's id, the unique beginning of one, its key, or `latest`.")
RunArgument = Annotated[str, _RUN]
AnyRunArgument = Annotated[str | None, _RUN]


def within(
    store: str,
    work: Callable[[Host], Awaitable[T]],
    *,
    agents: Sequence[Any] = (),
    new_too: bool = False,
) -> T:
    """
    Do something with a store, without running anything for it. Raises StoreUnavailable if it is not there, unless a new
    one will do; UsageError for one that no other process sees.
    """
    from segue.app.segue import Segue

    if new_too:
        must_be_shared(store)
    else:
        must_exist(store)

    async def opened() -> T:
        async with Segue(store, worker=False, agents=agents) as segue:
            return await work(segue.host)

    return asyncio.run(opened())


def must_be_shared(url: str) -> None:
    """Raise UsageError if no other process can see the store at this address."""
    if url.startswith("memory:"):
        raise UsageError(
            "a store in memory ends with its process", remedy="Keep runs in a file instead: --store segue.db"
        )


def must_exist(url: str) -> None:
    """Raise StoreUnavailable if the store at this address is a file that is not there."""
    from segue.stores.urls import file_of

    must_be_shared(url)
    path = file_of(url)
    if path is not None and not path.exists():
        raise StoreUnavailable(
            f"there is no store at {str(path)!r}",
            remedy="Give the one that was used: --store PATH, or SEGUE_STORE; `segue run` makes a new one.",
        )
