"""Places in pools given out without one of their rules."""

from __future__ import annotations

from typing import Any

from segue.domain.running import pooling as domain_pooling
from segue.domain.running.turns import Waiting, Wanting
from segue.stores.memory import pooling
from segue.testing.simulation.planting import without


@without(
    "places beyond the capacity", "No more places are given out than a pool has.", (pooling, "share_out")
)
def _room_for_everybody(_: Any) -> Any:
    def share_out(
        capacities: Any, holdings: Any, returning: Any, waiting: Waiting, limits: Any, suspects: Any
    ) -> list[Wanting]:
        return [*returning, *(each for kind in waiting.kinds() for each in waiting.of_others(kind, ()))]

    return share_out


@without(
    "kept places given out",
    "What is kept while its task waits is given to nobody else.",
    (domain_pooling, "held_of"),
)
def _parked_hold_nothing(_: Any) -> Any:
    return lambda pools, *, parked: () if parked else pools


@without(
    "goes on without its places",
    "Who has given places back takes them again before he goes on.",
    (pooling, "given_back"),
    season="answers",
)
def _wants_nothing_back(_: Any) -> Any:
    return lambda pools: ()


@without(
    "some of what is needed",
    "A task has all the places that it needs, or none.",
    (domain_pooling._Shares, "fits"),
)
def _fits_with_one(_: Any) -> Any:
    return lambda self, pools: any(need.places <= self.free.get(need.pool, 0) for need in pools)
