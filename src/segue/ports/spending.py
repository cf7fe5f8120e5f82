"""The part of a store's contract that is about spending budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from segue.domain.records import Amounts, Token
from segue.domain.rows import AllowanceRecord
from segue.domain.running.spending import Charged


class SpendingStore(Protocol):
    """
    Accounts of runs, in which `spent + reserved` never passes the cap.

    A run has an account if it is submitted with caps (`NewRun.caps`), a delegation if a share was reserved for it.
    Each unit is paid for by the nearest account above the task that has a cap for it; what has none is not counted.

    What was spent takes the place of a share in the transaction in which the last task settles that it is for: the
    delegated one and all below it, whatever has become of the task that asked. If that was never delegated in the end,
    all of the share comes back when the task settles that wanted to.
    """

    async def reserve(self, token: Token, name: str, asked: Amounts, child: str | None = None) -> Charged:
        """
        Set amounts aside for a running attempt, all of them or, where that is `exceeded`, none.

        What an earlier attempt of the task has reserved and not settled counts as spent from now on. With `child` it is
        the share of a delegation, which gets an account with these caps. Fenced; the same name again is `repeated`.
        """
        ...

    async def spend(self, token: Token, name: str, spent: Amounts) -> Charged:
        """
        Put what was spent in the place of what was reserved under a name, or charge it if nothing was.

        Of a unit that is not told of, all that was reserved is spent. `exceeded` if not all of it fits: then the
        account is charged to its cap. Fenced; a name that was settled before is `repeated`, that of a share is `stale`.
        """
        ...

    async def read_spending(self, run: str) -> Sequence[AllowanceRecord]:
        """The accounts of a run with what is spent and reserved, by account and unit."""
        ...
