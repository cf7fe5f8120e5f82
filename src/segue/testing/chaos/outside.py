"""
What the agents of `segue chaos` do outside the store: they note that they ran, call a model, and pay.

All of it goes into files that the agents' processes are told of by their environment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from segue.domain.running.steps import DidNotHappen, Happened
from segue.engine.context import ctx

LEDGER_VARIABLE = "SEGUE_CHAOS_LEDGER"
"""Names the file that this process's agents write to."""

PAYMENTS_VARIABLE = "SEGUE_CHAOS_PAYMENTS"
"""Names the file that stands for the world outside: all workers pay into it."""

CALLS_VARIABLE = "SEGUE_CHAOS_CALLS"
"""Names the file in which all workers note what each call of a model took."""


def note() -> None:
    """Note that an agent runs: the run, the task, the epoch."""
    _write(LEDGER_VARIABLE, [ctx.run, ctx.task, ctx.epoch])


async def call_model(tokens: int, takes: int) -> None:
    """Set tokens aside and take fewer; what is in the file is gone, whatever becomes of the process."""
    async with ctx.spend(tokens=tokens) as spent:
        _write(CALLS_VARIABLE, [ctx.run, takes])
        spent.tokens = takes


async def pay(bill: str) -> None:
    """Pay once, whatever happens meanwhile."""
    async with ctx.effect("pay", reconcile=_look_up) as payment:
        await payment.once(_pay, bill)


async def _pay(bill: str, *, idempotency_key: str) -> None:
    """The world outside takes every payment that it is given, as often as it is given it."""
    _write(PAYMENTS_VARIABLE, [idempotency_key, bill])


def _look_up(key: str) -> Happened | DidNotHappen:
    payments = Path(os.environ[PAYMENTS_VARIABLE])
    paid = payments.read_text().splitlines() if payments.exists() else []
    return Happened() if any(json.loads(line)[0] == key for line in paid) else DidNotHappen()


def _write(variable: str, values: list[str | int]) -> None:
    """One line, in one write: a process that is killed leaves it whole or not at all."""
    path = os.environ.get(variable)
    if path is None:
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, json.dumps(values).encode() + b"\n")
    finally:
        os.close(file)
