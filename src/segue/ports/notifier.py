"""The wake-up that says "look again". It may be lost, doubled or late, and nothing breaks."""

from __future__ import annotations

from typing import Protocol


class Notifier(Protocol):
    """
    Counts commits. Read a count, look at the store, then wait with that count: a commit in between is never missed.

    `count` counts all commits that this process heard of, `foreign` only those of other processes: an engine knows what
    it committed itself and need not be woken by it.
    """

    @property
    def count(self) -> int:
        """How often something was committed, by anybody."""
        ...

    @property
    def foreign(self) -> int:
        """How often something was committed by another process, or may have been."""
        ...

    def notify(self) -> None:
        """Tell everybody that this process committed something. Called in the loop's thread."""
        ...

    async def wait(self, seen: int, timeout_seconds: float) -> int:
        """Return `count` as soon as it differs from `seen`, or after the time-out."""
        ...

    async def wait_foreign(self, seen: int, timeout_seconds: float) -> int:
        """Return `foreign` as soon as it differs from `seen`, or after the time-out."""
        ...
