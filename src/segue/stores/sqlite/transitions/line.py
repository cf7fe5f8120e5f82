"""
The tasks that wait for places in pools, read as far as somebody asks for them: thousands may wait where two fit.

Where few runs wait they are read run by run: one with ten thousand tasks costs as much as one with ten. Where many runs
do, they are read by age.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

from segue.domain.envelope.versions import can_read
from segue.domain.records import ClaimRequest
from segue.domain.running.turns import Kind, Wanting
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import pools_of

Rows = Callable[[str, Sequence[Any]], list[Any]]
"""Runs a statement: in a transaction that writes, or for a look beforehand."""

FEW_RUNS = 50
"""So many runs are looked at one by one."""

AT_ONCE = 16
"""How many rows are read in one go."""


class TasksInLine:
    """The tasks of a worker's agents that need pools, and that it can read."""

    def __init__(self, rows: Rows, request: ClaimRequest, boot: float, wall: float) -> None:
        self._rows = rows
        self._now = (boot, wall)
        self._columns = dict(self._found(request))

    def _found(self, request: ClaimRequest) -> Iterator[tuple[Kind, tuple[str, bytes, str, int]]]:
        """The kinds, and what a row of each has in the columns of the index."""
        for columns in self._rows(SQL.find_kinds, (json.dumps(request.agents),)):
            agent, blob, requires, is_suspect = columns
            if not requires or can_read(requires, request.reads):
                yield Kind(agent, pools_of(blob), bool(is_suspect), requires or None), columns

    def kinds(self) -> Collection[Kind]:
        """All kinds of which somebody waits."""
        return self._columns.keys()

    def of_runs(self, kind: Kind, runs: Collection[str]) -> Mapping[str, Iterator[Wanting]]:
        """Those of a kind in each of some runs, oldest first; without the runs that have none."""
        if not runs:
            return {}
        heads = self._read(SQL.find_heads, kind, json.dumps(sorted(runs)))
        return {head.run: self._from(head) for head in heads}

    def of_others(self, kind: Kind, apart: Collection[str]) -> Iterator[Wanting]:
        """Those of a kind in all runs but some, oldest first."""
        runs = {run for (run,) in self._rows(SQL.find_runs_in_line, (*self._columns[kind], FEW_RUNS + 1))}
        if len(runs) > FEW_RUNS:
            return self._by_age(kind, apart)
        lines = self.of_runs(kind, runs.difference(apart)).values()
        return merge(*lines, key=lambda each: each.age)

    def _from(self, head: Wanting) -> Iterator[Wanting]:
        """The line of a run, of which the first is known."""
        found = [head]
        yield head
        while found:
            _, run, node, item, kind = last = found[-1]
            found = self._read(SQL.find_line, kind, run, last.since, node, item, AT_ONCE)
            yield from found

    def _by_age(self, kind: Kind, apart: Collection[str]) -> Iterator[Wanting]:
        behind: tuple[float, str, str, int] = (-math.inf, "", "", 0)
        while found := self._read(SQL.find_line_of_others, kind, json.dumps(sorted(apart)), *behind, AT_ONCE):
            yield from found
            behind = (found[-1].since, *found[-1].key)

    def _read(self, statement: str, kind: Kind, *parameters: Any) -> list[Wanting]:
        found = self._rows(statement, (*self._columns[kind], *self._now, *parameters))
        return [Wanting(due, run, node, item, kind) for due, run, node, item in found]
