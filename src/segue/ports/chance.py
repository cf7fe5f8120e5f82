"""Chance as an argument, so that what depends on it can be played again."""

from __future__ import annotations

from typing import Protocol


class Chance(Protocol):
    """
    Where ids and jitter come from: any `random.Random`. Ids must not be guessed or met twice, so by default it is the
    system's; a simulation gives one with a seed.
    """

    def random(self) -> float:
        """A number from 0 to 1."""
        ...

    def getrandbits(self, k: int, /) -> int:
        """A number of `k` random bits."""
        ...
