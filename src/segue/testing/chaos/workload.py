"""
What the workers of `segue chaos` work on: a workflow with a map, a join, an artifact, a `Later`, threads, a remembered
step, an effect outside, a review that ends by itself, an errand that grows the graph within a budget, and agents that
fail now and then or take their time. What ends it starts something else, and is noted by two monitors, one of which
needs a person to go on.

Its result is known beforehand, so a run that ended with another one has been told something wrong. Each agent notes
that it ran, in a file of its own outside the store: what ran twice and why is told from there.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from segue.app.consumers import decide, read_consumer_views
from segue.app.handle import RunHandle
from segue.app.monitoring import Control
from segue.app.segue import Segue
from segue.domain.consumers import consumer_event
from segue.domain.envelope.handoff import Handoff, Later
from segue.domain.envelope.versions import payload, upcast
from segue.domain.graph.agent import agent
from segue.domain.graph.watching import monitor, on
from segue.domain.graph.workflow import workflow
from segue.domain.rows import Event
from segue.domain.settings.retrying import Retry
from segue.domain.settings.reviewing import Review
from segue.engine.context import ctx
from segue.errors import ControlRefused, UsageError
from segue.ports.clock import SystemClock
from segue.testing.chaos.errand import ASKED, errand
from segue.testing.chaos.outside import note, pay

WORK_VARIABLE = "SEGUE_CHAOS_WORK_SECONDS"
"""How long the slow agent works."""

CODE_VARIABLE = "SEGUE_CHAOS_CODE"
"""Says how new the code of a worker is: the version of what its first agent hands over."""

OLD_CODE, NEW_CODE = "1", "2"
_CODE = os.environ.get(CODE_VARIABLE, OLD_CODE)

TASKS_PER_RUN = 10
"""Tasks of a run that hand something over."""


class PassingError(Exception):
    """An agent fails on purpose; another try helps."""


@payload(version=_CODE)
class Numbers(BaseModel):
    """What the first agent hands over; `evidence` is large enough to become an artifact."""

    numbers: list[int]
    evidence: str
    if _CODE == NEW_CODE:
        source: str = "new code"


if _CODE == NEW_CODE:

    @upcast(Numbers, OLD_CODE, NEW_CODE)
    def _with_source(old: dict[str, Any]) -> dict[str, Any]:
        return {**old, "source": "old code"}


@agent
async def start(number: int) -> Handoff[Numbers]:
    """Three numbers, with the reasoning that a hand-off carries."""
    note()
    numbers = Numbers(numbers=[number, number + 1, number + 2], evidence=f"{number:08}" * 1_500)
    return Handoff(numbers, summary=f"three numbers from {number}", decisions=["no more than three"])


@agent
async def square(number: int) -> int:
    """One of the mapped tasks."""
    note()
    return number * number


@agent
def total(squares: list[int]) -> int:
    """The join, in a thread."""
    note()
    return sum(squares)


@agent(retries=20, backoff="10ms")
async def moody(number: int) -> int:
    """Fails at its first try if its number is odd, and takes its time: others must wait for it, and its lease runs."""
    note()
    if ctx.attempt == 1 and number % 2:
        raise PassingError(f"not today, {number}")
    await SystemClock().sleep(float(os.environ.get(WORK_VARIABLE, "0")))
    return -number


@agent(review=Review(by="nobody", expires="100ms", then="approve"))
async def check(total: int, moody: Later[int]) -> int:
    """A join that starts without one of its inputs. Nobody decides on what it hands over: its terms do."""
    note()
    return total + await moody


@agent
async def close(checked: Handoff[int], errand: int) -> str:
    """The end of the chain, which pays for what came out: once, whatever happens meanwhile."""
    note()
    bill = await ctx.step("bill", _bill, checked.output)
    await pay(bill)
    return f"{checked.output + errand}"


async def _bill(amount: int) -> str:
    return f"bill over {amount}"


@on("task.close.complete")
@agent
async def receipt(paid: str) -> str:
    """Is started once for every story that has ended."""
    note()
    return f"receipt for {paid}"


@monitor("task.close.complete", since="start", retries=Retry(20, backoff="10ms"))
async def clerk(event: Event, control: Control) -> None:
    """Notes in every story that it has ended; fails when it has just done so, and is told again."""
    noted = await control.annotate(event.run, note="closed")
    if noted.verdict == "done":
        raise PassingError("not today")


@monitor("task.close.complete", since="start", retries=0)
async def auditor(event: Event, control: Control) -> None:
    """Notes that it has seen it, and does not get over it: a person has to let it go on, which it notes too."""
    noted = await control.annotate(event.run, note="seen")
    if noted.verdict == "done":
        raise PassingError("not without a person")
    await control.annotate(event.run, note="went on")


OFFERED = (receipt, clerk, auditor, *ASKED)
"""What workers have beside the story: what is done about events, and whom its agents ask."""

NOTES_PER_RUN = 3
"""What the clerk and the auditor note."""

PARKED, LET_GO_ON = (consumer_event(auditor.consumer, what) for what in ("parked", "resumed"))
"""The events that say that the auditor needs a person, and that one has let it go on."""

ENCOURAGE_SECONDS = 0.03
"""How often a person looks for who needs a word."""


async def encourage(segue: Segue) -> None:
    """Be the person who lets parked consumers try again, as often as it takes."""
    while True:
        for view in await read_consumer_views(segue.host.store):
            if view.parked:
                with contextlib.suppress(UsageError):  # somebody else was quicker
                    await decide(segue.host.store, view.name, "retry", by="chaos", note="go on")
        await SystemClock().sleep(ENCOURAGE_SECONDS)


async def all_noted(segue: Segue, runs: Collection[str]) -> None:
    """Wait until stories that have ended have been acted on."""
    notes: Counter[str] = Counter()
    receipts: set[str] = set()
    noted: set[str] = set()
    async for event in segue.events(names=("run.annotated", "task.receipt.complete")):
        if event.name == "run.annotated":
            notes[event.run] += 1
            if notes[event.run] == NOTES_PER_RUN:
                noted.add(event.run)
        else:
            receipts.add(event.run)
        if len(receipts) >= len(runs) and noted.issuperset(runs):
            return


@workflow
def story(number: int) -> str:
    """What every run of `segue chaos` is."""
    numbers = start(number)
    checked = check(total(square.map(numbers.numbers)), moody(number))
    return close(checked, errand(numbers.numbers))


async def steer(handle: RunHandle[str]) -> None:
    """Pause a run and let it go on, and hold its end back until its check; whoever does it again has done it before."""
    with contextlib.suppress(ControlRefused):  # it has ended: somebody else was quicker
        await handle.pause("close", until="check", by="chaos", command="hold the end back")
        await handle.pause(by="chaos", command="pause")
    with contextlib.suppress(ControlRefused):
        await handle.resume(by="chaos", command="resume")


def expected(number: int) -> str:
    """What a run of `story` must return."""
    numbers = range(number, number + 3)
    return str(sum(each * each for each in numbers) - number + sum(numbers))
