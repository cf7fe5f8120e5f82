"""Pools: named places (GPUs, licences, the connections of a service) that tasks share across all workers of a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segue.domain.envelope.payload import is_storable
from segue.domain.records import Need, Pools
from segue.domain.settings.retrying import checked_count
from segue.errors import UsageError

POOL_NAME_CHARACTERS = 200
"""The longest name of a pool: it stands in every line that speaks of it."""


@dataclass(frozen=True, slots=True)
class Pool:
    """
    `pools={"gpu": Pool(2, keep=True)}`: two places, kept while the task waits in the middle of its attempt.

    Without `keep` a task that awaits a `Later` gives its places back and takes them again before it goes on. Tasks that
    keep what others need may come to wait for one another; such a deadlock is found and broken (`on_deadlock`).
    Raises UsageError for a number of places that is no number from 1.
    """

    places: int = 1
    keep: bool = False

    def __post_init__(self) -> None:
        checked_count("Pool", self.places, 1)
        if not isinstance(self.keep, bool):
            raise UsageError(f"keep={self.keep!r} is not possible", remedy="Use True or False.")


def pools_of(given: Mapping[str, Any]) -> Pools:
    """The pools among settings as users write them (`pool`, `pools`), sorted by name. Raises UsageError."""
    pool, pools = given.get("pool"), given.get("pools")
    if pool is not None and pools is not None:
        raise UsageError("pool= stands beside pools=", remedy='Write all of it as pools={"gpu": 1}.')
    if pool is not None:
        return (Need(checked_pool_name(pool), 1),)
    if pools is None:
        return ()
    if not isinstance(pools, Mapping):
        raise UsageError(
            f"pools={pools!r} is no mapping", remedy='Write pools={"gpu": 1}: a number or a Pool by name.'
        )
    return tuple(sorted(_need(checked_pool_name(name), places) for name, places in pools.items()))


def checked_pool_name(name: Any) -> str:
    """The name of a pool. Raises UsageError."""
    if isinstance(name, str) and name.strip() and len(name) <= POOL_NAME_CHARACTERS and is_storable(name):
        return name
    raise UsageError(
        f"{name!r} cannot be the name of a pool",
        remedy=f"Give it a short name like 'gpu', of at most {POOL_NAME_CHARACTERS} characters.",
    )


def _need(name: str, places: Any) -> Need:
    if isinstance(places, Pool):
        return Need(name, places.places, places.keep)
    return Need(name, checked_count(f"pools[{name!r}]", places, 1))
