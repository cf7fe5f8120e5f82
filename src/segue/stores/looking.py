"""What a store remembers of its last look for ready tasks, so that it can say when the next is worth while."""

from __future__ import annotations

from collections.abc import Iterable


class Looks:
    """
    When a store last looked for the tasks of each agent, and for those whose time has run out.

    What fell due before that look was seen by it: it was claimed, or left lying because there was no room.
    """

    def __init__(self) -> None:
        self._agents: dict[str, float] = {}
        self._boot: float | None = None
        self._wall: float | None = None

    def note(self, agents: Iterable[str], boot: float, wall: float) -> None:
        """Remember a look for the tasks of these agents, by both clocks."""
        self._agents.update(dict.fromkeys(agents, boot))
        self._boot, self._wall = boot, wall

    def since(self, agent: str, boot: float) -> float:
        """From when on a retry of an agent counts; from now if its tasks were never looked for."""
        return self._agents.get(agent, boot)

    def since_any(self, boot: float, wall: float) -> tuple[float, float]:
        """From when on an overrun counts, by both clocks."""
        return (boot if self._boot is None else self._boot, wall if self._wall is None else self._wall)
