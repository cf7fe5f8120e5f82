"""
How many agents may run here at once: one limit for the worker, and one for each agent that declared its own.

A slot is reserved before a task is claimed, so that what was claimed can start. A task that awaits a `Later` gives its
slot back and queues for another; those in the queue come before anything new.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable


class Slots:
    """Free places, counted. Everything happens in the loop's thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._taken_by: Counter[str] = Counter()
        self._limit_of: dict[str, int] = {}
        self._queue: deque[tuple[str, asyncio.Future[None]]] = deque()

    def set_limit(self, agent: str, limit: int | None) -> None:
        """Let at most `limit` tasks of an agent run at once; None lifts its own limit."""
        if limit is None:
            self._limit_of.pop(agent, None)
        else:
            self._limit_of[agent] = limit

    @property
    def free(self) -> int:
        """Places that new tasks may take. Whoever queues although there are some waits for a place of his agent's."""
        return self.limit - self._taken

    @property
    def taken(self) -> int:
        """Places in use."""
        return self._taken

    def reserve(self, agent: str) -> bool:
        """Take a place for a task of this agent, if there is one."""
        if self._taken >= self.limit or (self._limit_of and not self._has_room(agent)):
            return False
        self._taken += 1
        self._taken_by[agent] += 1
        return True

    def take(self, agent: str) -> None:
        """Count a place as taken, free or not: for a task that runs again and cannot wait."""
        self._taken += 1
        self._taken_by[agent] += 1

    def hold(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        """
        Take all free places for a claim request that is on its way, and say how many there are, in all and by agent.

        What the answer does not use comes back with `unhold`.
        """
        room, by_agent = self.free, self._room_by_agent()
        self._taken += room
        for agent, count in by_agent:
            self._taken_by[agent] += count
        return room, by_agent

    def unhold(self, room: int, by_agent: tuple[tuple[str, int], ...], claimed: Iterable[str]) -> None:
        """Turn held places into those of the claimed agents and free the rest."""
        self._taken -= room
        for agent, count in by_agent:
            self._taken_by[agent] -= count
        for agent in claimed:
            self.take(agent)
        if self._queue:
            self._serve_queue()

    def release(self, agent: str) -> None:
        """Give a place back, to whoever queues first."""
        self._taken -= 1
        self._taken_by[agent] -= 1
        if self._queue:
            self._serve_queue()

    async def wait(self, agent: str) -> None:
        """Take a place as soon as there is one, before anything new starts."""
        if self.reserve(agent):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (agent, turn)
        self._queue.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(agent)
            else:
                self._queue.remove(entry)
            raise

    def _serve_queue(self) -> None:
        for entry in list(self._queue):
            agent, turn = entry
            # Whoever was cancelled takes himself out of the queue as soon as the loop comes to him.
            if not turn.done() and self._has_room(agent):
                self._queue.remove(entry)
                self.take(agent)
                turn.set_result(None)

    def _room_by_agent(self) -> tuple[tuple[str, int], ...]:
        return tuple(
            (agent, max(0, limit - self._taken_by[agent])) for agent, limit in self._limit_of.items()
        )

    def _has_room(self, agent: str) -> bool:
        if self._taken >= self.limit:
            return False
        return not self._limit_of or self._taken_by[agent] < self._limit_of.get(agent, self.limit)
