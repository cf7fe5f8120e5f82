"""Who is still alive on this machine, proven by the kernel and not by the clock."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Liveness(Protocol):
    """
    Tells workers that died from those that are slow, where that can be proven at once; leases cover the rest.

    A worker calls `hold` before it registers, so that no registered worker is ever without its proof of life.
    """

    def hold(self, worker: str) -> None:
        """Prove from now on, until this process ends or lets go, that the worker lives."""
        ...

    def let_go(self, worker: str) -> None:
        """The worker has ended; harmless if it was never held."""
        ...

    def dead(self, workers: Collection[str]) -> set[str]:
        """Those of these workers, of this machine, that are provably dead."""
        ...
