"""Spending budgets in tables: the rows behind `segue.stores.spending`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from segue.domain.envelope.stored import understood
from segue.domain.records import Amounts, Token
from segue.domain.running.spending import Accounts, Charged, Part, Reservation
from segue.stores import spending
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction


def reserve(tx: Transaction, token: Token, name: str, asked: Amounts, child: str | None) -> Charged:
    """Set amounts aside."""
    return spending.reserve(Rows(tx, token.run), token, name, asked, child)


def spend(tx: Transaction, token: Token, name: str, spent: Amounts) -> Charged:
    """Put what was spent in the place of what was reserved."""
    return spending.spend(Rows(tx, token.run), token, name, spent)


def give_back(tx: Transaction, run: str, node: str, item: int) -> None:
    """A task has settled: settle the shares that are over with it."""
    spending.give_back(Rows(tx, run), node, item)


def open_account(tx: Transaction, run: str, name: str, caps: Amounts) -> None:
    """Give a run, or a delegation, an account."""
    tx.cursor.executemany(SQL.insert_allowance, [(run, name, unit, cap) for unit, cap in caps])


class Rows:
    """The rows of one run in a transaction."""

    def __init__(self, tx: Transaction, run: str) -> None:
        self._tx = tx
        self._run = run

    def is_live(self, token: Token) -> bool:
        """Whether an attempt may write."""
        return self._tx.live_task(token) is not None

    def is_over(self, node: str) -> bool:
        """Whether a delegated task has settled, with all that was delegated below it; or was never there."""
        return not self._tx.row(SQL.has_open_below, (self._run, node))[0]

    def find(self, token: Token, name: str) -> Reservation | None:
        """What a task has reserved under a name."""
        row = self._tx.row(SQL.find_reservation, (*token[:3], name))
        return None if row is None else _reservation(row)

    def lost(self, token: Token) -> Sequence[Reservation]:
        """What earlier attempts of a task have not settled."""
        return [_reservation(row) for row in self._tx.rows(SQL.find_lost_reservations, token[:4])]

    def share(self, child: str) -> Reservation | None:
        """The share of a delegation."""
        row = self._tx.row(SQL.find_share, (self._run, child))
        return None if row is None else _reservation(row)

    def shares_of(self, node: str, item: int) -> Sequence[Reservation]:
        """The shares that a task has given to what it has delegated."""
        return [_reservation(row) for row in self._tx.rows(SQL.find_shares, (self._run, node, item))]

    def note_share(self, token: Token) -> None:
        """Note that a task has given a share away."""
        self._tx.cursor.execute(SQL.note_share, token[:3])

    def accounts(self, names: Sequence[str]) -> Iterable[spending.Row]:
        """The rows of some accounts."""
        rows: list[spending.Row] = self._tx.rows(SQL.read_accounts, (self._run, json.dumps(names)))
        return rows

    def open_account(self, name: str, caps: Amounts) -> None:
        """Give a delegation an account."""
        open_account(self._tx, self._run, name, caps)

    def write(self, accounts: Accounts, reservations: Sequence[Reservation]) -> None:
        """Write down what has changed."""
        self._tx.cursor.executemany(SQL.put_allowance, [(self._run, *each) for each in accounts.changed])
        self._tx.cursor.executemany(SQL.put_reservation, [_row(each) for each in reservations])


def _row(reservation: Reservation) -> tuple[object, ...]:
    *head, parts, spent = reservation
    return (*head, json.dumps(parts), None if spent is None else json.dumps(spent))


def _reservation(row: Sequence[Any]) -> Reservation:
    *head, parts, spent = row
    with understood("what a task has reserved"):
        told = None if spent is None else tuple((unit, amount) for unit, amount in json.loads(spent))
        return Reservation._make((*head, tuple(Part(*each) for each in json.loads(parts)), told))
