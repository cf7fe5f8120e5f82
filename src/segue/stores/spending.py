"""Reserving and spending as every store does it: rows are the store's, what becomes of them is said here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from segue.domain.records import Amounts, Token
from segue.domain.running.spending import Accounts, Beyond, Charged, Reservation, accounts_above

Row = tuple[str, str, int, int, int]
"""Account, unit, cap, spent, reserved."""


class SpendingRows(Protocol):
    """What a store keeps of the spending of one run, inside one transaction."""

    def is_live(self, token: Token) -> bool:
        """Whether an attempt may write."""
        ...

    def is_over(self, node: str) -> bool:
        """Whether a delegated task has settled, with all that was delegated below it; or was never there."""
        ...

    def find(self, token: Token, name: str) -> Reservation | None:
        """What a task has reserved under a name."""
        ...

    def lost(self, token: Token) -> Sequence[Reservation]:
        """What earlier attempts of a task have reserved for themselves and not settled."""
        ...

    def share(self, child: str) -> Reservation | None:
        """The share of a delegation."""
        ...

    def shares_of(self, node: str, item: int) -> Sequence[Reservation]:
        """The shares that a task has given to what it has delegated."""
        ...

    def note_share(self, token: Token) -> None:
        """Note that a task has given a share away: when it settles, and what it delegates, shares are looked after."""
        ...

    def accounts(self, names: Sequence[str]) -> Iterable[Row]:
        """The rows of some accounts."""
        ...

    def open_account(self, name: str, caps: Amounts) -> None:
        """Give a delegation an account."""
        ...

    def write(self, accounts: Accounts, reservations: Sequence[Reservation]) -> None:
        """Write down what has changed."""
        ...


def reserve(rows: SpendingRows, token: Token, name: str, asked: Amounts, child: str | None) -> Charged:
    """Set amounts aside, or say of what there is not enough."""
    if rows.find(token, name) is not None:
        return Charged("repeated")
    if not rows.is_live(token):
        return Charged("stale")
    chain = accounts_above(token.node)
    accounts = Accounts(rows.accounts(chain))
    written = [_settled(accounts, each, ()) for each in rows.lost(token)]
    try:
        written += _reopened(rows, accounts, chain)
        parts = accounts.reserve(chain, asked)
    except Beyond as beyond:
        return Charged("exceeded", beyond.overspent)
    run, node, item, epoch, _ = token
    written.append(Reservation(run, node, item, name, epoch, child, parts, None))
    rows.write(accounts, written)
    if child is not None:
        rows.open_account(child, asked)
        rows.note_share(token)
    return Charged("accepted")


def spend(rows: SpendingRows, token: Token, name: str, spent: Amounts) -> Charged:
    """Put what was spent in the place of what was reserved."""
    found = rows.find(token, name)
    if found is not None and found.child is not None:
        return Charged("stale")
    if found is not None and found.spent is not None:
        return Charged("repeated")
    if not rows.is_live(token):
        return Charged("stale")
    chain = accounts_above(token.node)
    accounts = Accounts(rows.accounts(chain))
    run, node, item, epoch, _ = token
    reservation = found or Reservation(run, node, item, name, epoch, None, (), None)
    short = accounts.spend(reservation.parts, chain, spent)
    rows.write(accounts, [reservation._replace(spent=spent)])
    return Charged("accepted") if short is None else Charged("exceeded", short)


def give_back(rows: SpendingRows, node: str, item: int) -> None:
    """A task has settled: settle the shares that are over with it, of those that it gave away and that it is under."""
    above = (rows.share(account) for account in accounts_above(node)[:-1])
    shares = [*rows.shares_of(node, item), *(share for share in above if share is not None)]
    over = [share for share in shares if share.child is not None and rows.is_over(share.child)]
    if over:
        names = {
            name for share in over for name in (share.child or "", *(part.account for part in share.parts))
        }
        accounts = Accounts(rows.accounts(tuple(names)))
        rows.write(accounts, [accounts.give_back(share) for share in over])


def _settled(accounts: Accounts, reservation: Reservation, spent: Amounts) -> Reservation:
    accounts.spend(reservation.parts, (), spent)
    return reservation._replace(spent=spent)


def _reopened(rows: SpendingRows, accounts: Accounts, chain: Sequence[str]) -> list[Reservation]:
    """The shares that were settled although their delegation goes on: it was tried again. The outermost comes first."""
    reopened = []
    for account in reversed(chain[:-1]):
        share = rows.share(account)
        if share is not None and share.spent is not None:
            accounts.reopen(share.parts, dict(share.spent))
            reopened.append(share._replace(spent=None))
    return reopened
