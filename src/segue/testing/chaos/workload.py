"""
What the workers of `segue chaos` work on: a workflow with a map, a join, an artifact, a `Later`, threads, a remembered
step, an effect outside, a review that ends by itself, and agents that fail now and then or take their time. What ends
it starts something else, and is noted by a monitor.

Its result is known beforehand, so a run that ended with another one has been told something wrong. Each agent notes
that it ran, in a file of its own outside the store: what ran twice and why is told from there.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel

from segue.app.handle import RunHandle
from segue.app.monitoring import Control
from segue.app.segue import Segue
from segue.domain.envelope.handoff import Handoff, Later
from segue.domain.graph.agent import agent
from segue.domain.graph.watching import monitor, on
from segue.domain.graph.workflow import workflow
from segue.domain.rows import Event
from segue.domain.running.steps import DidNotHappen, Happened
from segue.domain.settings.retrying import Retry
from segue.domain.settings.reviewing import Review
from segue.engine.context import ctx
from segue.errors import ControlRefused
from segue.ports.clock import SystemClock

LEDGER_VARIABLE = "SEGUE_CHAOS_LEDGER"
"""Names the file that this process's agents write to."""

PAYMENTS_VARIABLE = "SEGUE_CHAOS_PAYMENTS"
"""Names the file that stands for the world outside: all workers pay into it."""

WORK_VARIABLE = "SEGUE_CHAOS_WORK_SECONDS"
"""How long the slow agent works."""

TASKS_PER_RUN = 8
"""Tasks of a run that hand something over."""


class PassingError(Exception):
    """An agent fails on purpose; another try helps."""


class Numbers(BaseModel):
    """What the first agent hands over; `evidence` is large enough to become an artifact."""

    numbers: list[int]
    evidence: str


@agent
async def start(number: int) -> Handoff[Numbers]:
    """Three numbers, with the reasoning that a hand-off carries."""
    _note()
    numbers = Numbers(numbers=[number, number + 1, number + 2], evidence=f"{number:08}" * 1_500)
    return Handoff(numbers, summary=f"three numbers from {number}", decisions=["no more than three"])


@agent
async def square(number: int) -> int:
    """One of the mapped tasks."""
    _note()
    return number * number


@agent
def total(squares: list[int]) -> int:
    """The join, in a thread."""
    _note()
    return sum(squares)


@agent(retries=20, backoff="10ms")
async def moody(number: int) -> int:
    """Fails at its first try if its number is odd, and takes its time: others must wait for it, and its lease runs."""
    _note()
    if ctx.attempt == 1 and number % 2:
        raise PassingError(f"not today, {number}")
    await SystemClock().sleep(float(os.environ.get(WORK_VARIABLE, "0")))
    return -number


@agent(review=Review(by="nobody", expires="100ms", then="approve"))
async def check(total: int, moody: Later[int]) -> int:
    """A join that starts without one of its inputs. Nobody decides on what it hands over: its terms do."""
    _note()
    return total + await moody


@agent
async def close(checked: Handoff[int]) -> str:
    """The end of the chain, which pays for what came out: once, whatever happens meanwhile."""
    _note()
    bill = await ctx.step("bill", _bill, checked.output)
    async with ctx.effect("pay", reconcile=_look_up) as payment:
        await payment.once(_pay, bill)
    return f"{checked.output}"


async def _bill(amount: int) -> str:
    return f"bill over {amount}"


async def _pay(bill: str, *, idempotency_key: str) -> None:
    """The world outside takes every payment that it is given, as often as it is given it."""
    _write(PAYMENTS_VARIABLE, [idempotency_key, bill])


def _look_up(key: str) -> Happened | DidNotHappen:
    payments = Path(os.environ[PAYMENTS_VARIABLE])
    paid = payments.read_text().splitlines() if payments.exists() else []
    return Happened() if any(json.loads(line)[0] == key for line in paid) else DidNotHappen()


@on("task.close.complete")
@agent
async def receipt(paid: str) -> str:
    """Is started once for every story that has ended."""
    _note()
    return f"receipt for {paid}"


@monitor("task.close.complete", since="start", retries=Retry(20, backoff="10ms"))
async def clerk(event: Event, control: Control) -> None:
    """Notes in every story that it has ended; fails when it has just done so, and is told again."""
    noted = await control.annotate(event.run, note="closed")
    if noted.verdict == "done":
        raise PassingError("not today")


OFFERED = (receipt, clerk)
"""What workers do about events, beside the story."""


async def all_noted(segue: Segue, runs: Collection[str]) -> None:
    """Wait until stories that have ended have been acted on."""
    noted: set[str] = set()
    receipts: set[str] = set()
    async for event in segue.events(names=("run.annotated", "task.receipt.complete")):
        (noted if event.name == "run.annotated" else receipts).add(event.run)
        if noted.issuperset(runs) and len(receipts) >= len(runs):
            return


@workflow
def story(number: int) -> str:
    """What every run of `segue chaos` is."""
    numbers = start(number)
    return close(check(total(square.map(numbers.numbers)), moody(number)))


async def steer(handle: RunHandle[str]) -> None:
    """Pause a run and let it go on, and hold its end back until its check; whoever does it again has done it before."""
    with contextlib.suppress(ControlRefused):  # it has ended: somebody else was quicker
        await handle.pause("close", until="check", by="chaos", command="hold the end back")
        await handle.pause(by="chaos", command="pause")
    with contextlib.suppress(ControlRefused):
        await handle.resume(by="chaos", command="resume")


def expected(number: int) -> str:
    """What a run of `story` must return."""
    return str(sum(each * each for each in range(number, number + 3)) - number)


def _note() -> None:
    _write(LEDGER_VARIABLE, [ctx.run, ctx.task, ctx.epoch])


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
