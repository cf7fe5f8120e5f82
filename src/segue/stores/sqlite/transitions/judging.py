"""Whether a run moves by itself, or only a person can move it."""

from __future__ import annotations

from segue.domain.records import RunState
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.wording import RUN_NEEDS_REVIEW, RUN_RESUMED


def judge_run(tx: Transaction, run: str) -> RunState | None:
    """Say of a run that it needs a review now, or that it moves again; its state if it needs one now."""
    judged = tx.row(SQL.judge_run, (run,))
    if judged is None:
        return None
    if judged[0] == "running":
        tx.tell_run(run, RUN_RESUMED)
        return None
    tx.tell_run(run, RUN_NEEDS_REVIEW)
    return "needs_review"
