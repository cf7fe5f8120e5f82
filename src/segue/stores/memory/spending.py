"""Spending budgets in memory."""

from __future__ import annotations

from collections.abc import Sequence

from segue.domain.records import Amounts, Token
from segue.domain.rows import AllowanceRecord
from segue.domain.running.spending import Charged
from segue.stores import spending
from segue.stores.memory.accounts import Rows
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class MemorySpending:
    """The verbs of the contract for spending budgets."""

    _state: State
    notifier: LocalNotifier

    async def reserve(self, token: Token, name: str, asked: Amounts, child: str | None = None) -> Charged:
        """Set amounts aside."""
        run = self._state.runs.get(token.run)
        return Charged("stale") if run is None else spending.reserve(Rows(run), token, name, asked, child)

    async def spend(self, token: Token, name: str, spent: Amounts) -> Charged:
        """Put what was spent in the place of what was reserved."""
        run = self._state.runs.get(token.run)
        return Charged("stale") if run is None else spending.spend(Rows(run), token, name, spent)

    async def read_spending(self, run: str) -> Sequence[AllowanceRecord]:
        """The accounts of a run."""
        found = self._state.runs.get(run)
        rows = found.allowances.items() if found is not None else ()
        return [AllowanceRecord(run, *key, *row) for key, row in sorted(rows)]
