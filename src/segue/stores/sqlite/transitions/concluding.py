"""What ends with a task."""

from __future__ import annotations

from segue.domain.records import ENDS_PAUSE, HAS_SHARE, PAUSED_ITSELF
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions.pausing import end_pauses
from segue.stores.sqlite.transitions.spending import give_back


def conclude(tx: Transaction, run: str, node: str, item: int) -> bool:
    """
    If a task has settled, end its pause and those that lasted until then, and settle the shares that are over; whether
    pauses were to last until then.
    """
    ((hold,),) = tx.rows(SQL.find_hold, (run, node, item))
    if hold & (PAUSED_ITSELF | ENDS_PAUSE):
        end_pauses(tx, run, node, item, hold)
    if hold & HAS_SHARE and not tx.row(SQL.has_open, (run, node, item))[0]:
        give_back(tx, run, node, item)
    return bool(hold & ENDS_PAUSE)
