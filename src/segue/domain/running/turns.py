"""
Whose turn it is among those who wait for places in pools. What a run is given puts its other tasks further back.

Those who wait may be many, and nearly all of them have to go on waiting. So they are read as far as it takes: of a run
that holds something its oldest tasks, and of all the others together, which hold nothing and come by age, the oldest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile
from typing import NamedTuple, Protocol

from segue.domain.records import Pools


class Kind(NamedTuple):
    """What tasks have in common between which only their run and their age decide."""

    agent: str
    pools: Pools
    is_suspect: bool = False
    requires: str | None = None


class Wanting(NamedTuple):
    """A task that waits for places, from when on."""

    since: float
    run: str
    node: str
    item: int
    kind: Kind

    @property
    def key(self) -> tuple[str, str, int]:
        """Its run, node and item."""
        return (self.run, self.node, self.item)

    @property
    def age(self) -> tuple[float, tuple[str, str, int]]:
        """What the oldest has least of."""
        return (self.since, self.key)


class Waiting(Protocol):
    """Those who wait for something new. What is not asked for need not be read."""

    def kinds(self) -> Collection[Kind]:
        """All kinds of which somebody waits."""
        ...

    def of_runs(self, kind: Kind, runs: Collection[str]) -> Mapping[str, Iterator[Wanting]]:
        """Those of a kind in each of some runs, oldest first; without the runs that have none."""
        ...

    def of_others(self, kind: Kind, apart: Collection[str]) -> Iterator[Wanting]:
        """Those of a kind in all runs but some, oldest first. Of a run that is set apart later no more is needed."""
        ...


class Listed:
    """Those who wait, in memory."""

    def __init__(self, wanting: Iterable[Wanting]) -> None:
        self._by_kind: dict[Kind, list[Wanting]] = {}
        for each in sorted(wanting, key=lambda each: each.age):
            self._by_kind.setdefault(each.kind, []).append(each)

    def kinds(self) -> Collection[Kind]:
        """All kinds of which somebody waits."""
        return self._by_kind.keys()

    def of_runs(self, kind: Kind, runs: Collection[str]) -> Mapping[str, Iterator[Wanting]]:
        """Those of a kind in each of some runs, oldest first."""
        lines: dict[str, list[Wanting]] = {}
        for each in self._by_kind[kind]:
            if each.run in runs:
                lines.setdefault(each.run, []).append(each)
        return {run: iter(line) for run, line in lines.items()}

    def of_others(self, kind: Kind, apart: Collection[str]) -> Iterator[Wanting]:
        """Those of a kind in all runs but some, oldest first."""
        return (each for each in self._by_kind[kind] if each.run not in apart)


class Turns:
    """
    Those who wait, in the order of their turn: first those that are `returning`, then the run with the smallest share,
    as `share` has it of a run and what a task needs, then the oldest. Kinds that are not open any more are left out;
    none is opened again.
    """

    def __init__(
        self,
        returning: Sequence[Wanting],
        waiting: Waiting,
        holders: Iterable[str],
        share: Callable[[str, Pools], float],
        is_open: Callable[[Kind], bool],
    ) -> None:
        self._waiting = waiting
        self._share = share
        self._is_open = is_open
        self._returning = sorted(returning, key=lambda each: each.age, reverse=True)
        self._open = list(filter(is_open, waiting.kinds()))
        self._apart = set(holders)
        """The runs that hold something: each has a line of its own."""
        self._heads: list[tuple[float, tuple[float, tuple[str, str, int]], Wanting, Iterator[Wanting]]] = []
        for line in self._lines_of(self._apart):
            self._put(line)
        self._next_line: Iterator[Wanting] | None = self._line_of_others()
        """The line whose head had the last turn. What comes next in it is read when it is asked for."""

    def next(self) -> Wanting | None:
        """Whose turn it is; None if there is nobody any more."""
        if self._returning:
            return self._returning.pop()
        self._leave_out_closed()
        if self._next_line is not None:
            self._put(self._next_line)
        while self._heads:
            share, _, wanting, line = heapq.heappop(self._heads)
            if share < self._share(wanting.run, wanting.kind.pools):
                self._push(wanting, line)  # its run has been given something meanwhile
            else:
                self._next_line = line
                return wanting
        self._next_line = None
        return None

    def _leave_out_closed(self) -> None:
        """Whoever is behind one that is left out comes to the head of the line."""
        still = list(filter(self._is_open, self._open))
        if len(still) < len(self._open):
            self._open, heads, self._heads = still, self._heads, []
            for _, _, head, line in heads:
                if head.kind in still:
                    self._push(head, line)
                else:
                    self._put(line)

    def _put(self, line: Iterator[Wanting]) -> None:
        head = next(line, None)
        if head is not None:
            self._push(head, line)

    def _push(self, head: Wanting, line: Iterator[Wanting]) -> None:
        heapq.heappush(self._heads, (self._share(head.run, head.kind.pools), head.age, head, line))

    def _lines_of(self, runs: Collection[str]) -> list[Iterator[Wanting]]:
        """A line for each of some runs, if there is one."""
        by_run: dict[str, list[Iterator[Wanting]]] = {}
        for kind in self._open:
            for run, line in self._waiting.of_runs(kind, runs).items():
                by_run.setdefault(run, []).append(line)
        return [self._oldest_first(lines) for lines in by_run.values()]

    def _line_of_others(self) -> Iterator[Wanting]:
        for each in self._oldest_first([self._waiting.of_others(kind, self._apart) for kind in self._open]):
            if each.run in self._apart:
                continue
            if self._share(each.run, each.kind.pools) > 0.0:  # its run has been given something meanwhile
                self._set_apart(each)
            else:
                yield each

    def _set_apart(self, first: Wanting) -> None:
        """From now on a run has a line of its own, which begins with one of its tasks."""
        self._apart.add(first.run)
        for line in self._lines_of({first.run}):
            self._put(dropwhile(lambda each: each.age < first.age, line))

    def _oldest_first(self, lines: Iterable[Iterator[Wanting]]) -> Iterator[Wanting]:
        """Several lines as one. Of a kind that is not open any more nothing is read."""
        heads = [(head.age, head, line) for line in lines if (head := next(line, None)) is not None]
        heapq.heapify(heads)
        while heads:
            _, head, line = heads[0]
            if head.kind in self._open:
                yield head
            following = next(line, None) if head.kind in self._open else None
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (following.age, following, line))
