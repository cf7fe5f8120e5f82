"""The one store of a world: the model of the contract, with a window for the oracle."""

from __future__ import annotations

from segue.domain.rows import Event
from segue.stores.memory import MemoryStore
from segue.stores.memory.rows import Run


class Truth(MemoryStore):
    """The store in memory. The same contract is kept by the stores that keep: their suites compare them with it."""

    @property
    def runs(self) -> dict[str, Run]:
        """All runs with their tasks, as they are now."""
        return self._state.runs

    @property
    def capacities(self) -> dict[str, int]:
        """How many places each pool has."""
        return self._state.pools

    @property
    def commits(self) -> int:
        """How often something was committed."""
        return self.notifier.count

    def events_from(self, position: int) -> list[Event]:
        """Everything that was written down after so many events."""
        return [event for _, event in self._state.log._events[position:]]
