"""
Who pays for what a task spends: the nearest budget above it that has a limit for the unit.

The accounts of a run are its own (with the empty name) and that of each delegation with a budget (named like its node).
Each unit in one of them has a cap, and `spent + reserved` never passes it. What is about to be spent is reserved first,
and what was spent takes the place of the reservation. The share of a delegation is a reservation too; what was spent of
it takes its place when all that it is for has settled, whatever has become of the task that asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from segue.domain.records import Amounts, Verdict
from segue.domain.settings.spending import told
from segue.errors import SpendingExceeded

ROOT = ""
"""The account of the run itself."""


class Part(NamedTuple):
    """What a reservation holds of one unit, and in which account."""

    unit: str
    account: str
    amount: int


class Overspent(NamedTuple):
    """Why something cannot be spent: there is not so much left of a unit in an account."""

    account: str
    unit: str
    cap: int
    spent: int
    reserved: int
    asked: int


class Reservation(NamedTuple):
    """
    What a task has set aside under a name, by which attempt, and what was spent in its place: None while it is open.

    `child` is the delegation whose share it is.
    """

    run: str
    node: str
    item: int
    name: str
    epoch: int
    child: str | None
    parts: tuple[Part, ...]
    spent: Amounts | None


class Charged(NamedTuple):
    """The answer to a reservation or a charge; `exceeded` says of what there was not enough."""

    verdict: Verdict | Literal["exceeded"]
    overspent: Overspent | None = None


class Beyond(Exception):
    """Raised while accounts are changed, which is then not to be written."""

    def __init__(self, overspent: Overspent) -> None:
        self.overspent = overspent


def accounts_above(node: str) -> tuple[str, ...]:
    """The accounts that may pay for a node, the nearest first: of the delegations that it is in, then of the run."""
    parts = node.split("/")
    return (*("/".join(parts[:count]) for count in range(len(parts), 1, -1)), ROOT)


class Accounts:
    """The accounts that an operation is about. `changed` are those to be written back."""

    def __init__(self, rows: Iterable[tuple[str, str, int, int, int]]) -> None:
        self._rows = {(account, unit): [cap, spent, reserved] for account, unit, cap, spent, reserved in rows}
        self._before = {key: tuple(row) for key, row in self._rows.items()}

    @property
    def changed(self) -> list[tuple[str, str, int, int]]:
        """Account, unit, spent and reserved of each that is other than it was."""
        return [(*key, row[1], row[2]) for key, row in self._rows.items() if tuple(row) != self._before[key]]

    def reserve(self, chain: Iterable[str], asked: Amounts) -> tuple[Part, ...]:
        """Set amounts aside, each in the nearest account that limits its unit. Raises Beyond."""
        accounts = tuple(chain)
        parts = []
        for unit, amount in asked:
            payer = next((each for each in accounts if (each, unit) in self._rows), None)
            if payer is not None:
                self._put(payer, unit, reserved=amount, asked=amount)
                parts.append(Part(unit, payer, amount))
        return tuple(parts)

    def spend(self, parts: Iterable[Part], chain: Iterable[str], spent: Amounts) -> Overspent | None:
        """
        Put what was spent in the place of what was reserved; where nothing is told of a unit, all of it was spent.

        More than was reserved is charged as far as there is something left: then the answer says of what there was not.
        """
        rest, accounts, short = dict(spent), tuple(chain), None
        for unit, account, amount in parts:
            actual = rest.pop(unit, amount)
            self._put(account, unit, spent=min(actual, amount), reserved=-amount)
            if actual > amount:
                short = self._charge(account, unit, actual - amount) or short
        for unit, actual in rest.items():
            payer = next((each for each in accounts if (each, unit) in self._rows), None)
            if payer is not None:
                short = self._charge(payer, unit, actual) or short
        return short

    def give_back(self, share: Reservation) -> Reservation:
        """Put what was spent from a share in its place, or correct what was put there before, as far as that fits."""
        assert share.child is not None
        used = self.used(share.child)
        if share.spent is None:
            self.spend(share.parts, (), tuple(used.items()))
        else:
            before = dict(share.spent)
            for unit, account, _ in share.parts:
                self._charge(account, unit, used[unit] - before[unit])
        return share._replace(spent=tuple(used.items()))

    def used(self, account: str) -> dict[str, int]:
        """What is gone from an account for good: spent, or reserved by those who cannot say any more."""
        return {unit: row[1] + row[2] for (name, unit), row in self._rows.items() if name == account}

    def reopen(self, parts: Iterable[Part], used: Mapping[str, int]) -> None:
        """Set aside again what a share has left, for a delegation that is tried again. Raises Beyond."""
        for unit, account, amount in parts:
            left = amount - used.get(unit, amount)
            self._put(account, unit, spent=-used.get(unit, amount), reserved=amount, asked=left)

    def _charge(self, account: str, unit: str, amount: int) -> Overspent | None:
        cap, spent, reserved = self._rows[account, unit]
        fits = min(amount, cap - spent - reserved)
        self._put(account, unit, spent=fits)
        return None if fits == amount else Overspent(account, unit, cap, spent, reserved, amount)

    def _put(self, account: str, unit: str, *, spent: int = 0, reserved: int = 0, asked: int = 0) -> None:
        row = self._rows[account, unit]
        if row[1] + row[2] + spent + reserved > row[0]:
            raise Beyond(Overspent(account, unit, row[0], row[1], row[2], asked))
        row[1] += spent
        row[2] += reserved


def exceeded(over: Overspent, task: str) -> SpendingExceeded:
    """The error for what cannot be spent."""
    cap, spent, reserved, asked = (
        told(over.unit, amount) for amount in (over.cap, over.spent, over.reserved, over.asked)
    )
    whose = f"the share of {over.account}" if over.account else "the budget of the run"
    error = SpendingExceeded(
        f"{task} asks for {asked:g} {over.unit}, and of the {cap:g} in {whose} {spent:g} are spent and {reserved:g} "
        "are reserved",
        remedy="Ask for less, or give it more: budget=Spending(...).",
    )
    error.budget, error.account = over.unit, over.account
    error.cap, error.spent, error.reserved, error.asked = cap, spent, reserved, asked
    return error
