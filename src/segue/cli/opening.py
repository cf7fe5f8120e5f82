"""Stores that commands look into must be there: looking never makes one."""

from __future__ import annotations

from segue.errors import StoreUnavailable, UsageError
from segue.stores.urls import file_of


def must_be_shared(url: str) -> None:
    """Raise UsageError if no other process can see the store at this address."""
    if url.startswith("memory:"):
        raise UsageError(
            "a store in memory ends with its process", remedy="Keep runs in a file instead: --store segue.db"
        )


def must_exist(url: str) -> None:
    """Raise StoreUnavailable if the store at this address is a file that is not there."""
    must_be_shared(url)
    path = file_of(url)
    if path is not None and not path.exists():
        raise StoreUnavailable(
            f"there is no store at {str(path)!r}",
            remedy="Give the one that was used: --store PATH, or SEGUE_STORE; `segue run` makes a new one.",
        )
