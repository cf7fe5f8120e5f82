"""Spending budgets in memory: the rows behind `segue.stores.spending`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.domain.records import SETTLED, SINGLE, Amounts, Token
from segue.domain.rows import AllowanceRecord
from segue.domain.running.spending import Accounts, Charged, Reservation
from segue.stores import spending
from segue.stores.memory.rows import Run
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


class Rows:
    """The rows of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def is_live(self, token: Token) -> bool:
        """Whether an attempt may write."""
        task = self._run.tasks.get((token.node, token.item))
        return task is not None and task.answers(token)

    def has_settled(self, node: str) -> bool:
        """Whether a delegated task has come to its end."""
        task = self._run.tasks.get((node, SINGLE))
        return task is not None and task.state in SETTLED

    def find(self, token: Token, name: str) -> Reservation | None:
        """What a task has reserved under a name."""
        return self._run.reservations.get((token.node, token.item, name))

    def lost(self, token: Token) -> Sequence[Reservation]:
        """What earlier attempts of a task have not settled."""
        place = (token.node, token.item)
        own = [each for (*task, _), each in sorted(self._run.reservations.items()) if tuple(task) == place]
        return [
            each for each in own if each.epoch < token.epoch and each.child is None and each.spent is None
        ]

    def share(self, child: str) -> Reservation | None:
        """The share of a delegation."""
        return next((each for each in self._run.reservations.values() if each.child == child), None)

    def accounts(self, names: Sequence[str]) -> Iterable[spending.Row]:
        """The rows of some accounts."""
        return [(*key, *row) for key, row in self._run.allowances.items() if key[0] in names]

    def open_account(self, name: str, caps: Amounts) -> None:
        """Give a delegation an account."""
        self._run.allowances |= {(name, unit): (cap, 0, 0) for unit, cap in caps}

    def write(self, accounts: Accounts, reservations: Sequence[Reservation]) -> None:
        """Write down what has changed."""
        for account, unit, spent, reserved in accounts.changed:
            self._run.allowances[account, unit] = (self._run.allowances[account, unit][0], spent, reserved)
        for each in reservations:
            self._run.reservations[each.node, each.item, each.name] = each
