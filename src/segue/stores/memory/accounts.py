"""The accounts of a run in memory: the rows behind `segue.stores.spending`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.domain.records import HAS_SHARE, SETTLED, Amounts, Token
from segue.domain.running.spending import Accounts, Reservation
from segue.stores import spending
from segue.stores.memory.rows import Run


class Rows:
    """The rows of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def is_live(self, token: Token) -> bool:
        """Whether an attempt may write."""
        task = self._run.tasks.get((token.node, token.item))
        return task is not None and task.answers(token)

    def is_over(self, node: str) -> bool:
        """Whether a delegated task has settled, with all that was delegated below it; or was never there."""
        tasks = self._run.tasks.values()
        below = (task for task in tasks if task.node == node or task.node.startswith(f"{node}/"))
        return all(task.state in SETTLED for task in below)

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

    def shares_of(self, node: str, item: int) -> Sequence[Reservation]:
        """The shares that a task has given to what it has delegated."""
        own = (each for key, each in sorted(self._run.reservations.items()) if key[:2] == (node, item))
        return [each for each in own if each.child is not None]

    def note_share(self, token: Token) -> None:
        """Note that a task has given a share away."""
        self._run.tasks[token.node, token.item].hold |= HAS_SHARE

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
