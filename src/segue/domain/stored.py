"""What is read back is not trusted: a store can be damaged, or changed by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segue.domain.payload import digest_of
from segue.domain.records import StoredHandoff, task_name
from segue.errors import StoreCorrupt


@contextmanager
def understood(what: str) -> Iterator[None]:
    """
    Around whatever does nothing but make sense of what was stored.

    Raises `StoreCorrupt` if that fails in any way that text of the wrong form makes it fail.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise not_understood(what, error) from error


def not_understood(what: str, error: Exception) -> StoreCorrupt:
    """The error for stored text of a form that nobody writes."""
    return StoreCorrupt(
        f"{what} is damaged, it cannot be understood: {type(error).__name__}: {error}",
        remedy="Restore the store from a backup.",
    )


def verified(stored: StoredHandoff) -> StoredHandoff:
    """A hand-off whose bytes are those that were sent. Raises `StoreCorrupt`."""
    record = stored.record
    if digest_of(record.body) != record.digest:
        raise StoreCorrupt(
            f"hand-off {record.version} of {task_name(stored.node, stored.item)} in run {stored.run} was changed",
            remedy="Restore the store from a backup.",
        )
    return stored
