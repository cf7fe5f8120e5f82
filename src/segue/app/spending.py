"""What the faces of Segue show of spending: what a run and its delegations may spend, and what of it is gone."""

from __future__ import annotations

from dataclasses import dataclass

from segue.domain.settings.spending import told
from segue.ports.store import Store


@dataclass(frozen=True, slots=True)
class SpendingView:
    """
    What may be spent of a unit, what is, and what is set aside. `account` is the delegation whose share it is, None for
    the run itself.
    """

    account: str | None
    unit: str
    cap: float
    spent: float
    reserved: float


async def read_spending_views(store: Store, run: str) -> tuple[SpendingView, ...]:
    """What a run may spend, and its delegations, by account and unit; empty where nothing limits it."""
    return tuple(
        SpendingView(
            each.account or None,
            each.unit,
            *(told(each.unit, amount) for amount in (each.cap, each.spent, each.reserved)),
        )
        for each in await store.read_spending(run)
    )
