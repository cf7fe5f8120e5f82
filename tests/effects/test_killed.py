"""A process is killed at any point around its effects: each happened once or is in doubt, and no step is paid twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from segue import DidNotHappen, Happened, ReviewNeeded, Segue
from tests.effects import shopping
from tests.engine.deadlines import soon

POINTS = range(1, 201)
SAMPLE = POINTS[5::14]


def kill_at(folder: Path, points: Sequence[int | str], *flags: str) -> None:
    """Let a process die at each point, in a folder of its own."""
    command = [sys.executable, shopping.__file__, str(folder), *map(str, points), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.stdout == f"{len(points)}\n", done.stdout + done.stderr


def outside(folder: Path) -> Counter[str]:
    """What really happened, and how often."""
    world = folder / "outside"
    return Counter(world.read_text().splitlines() if world.exists() else ())


async def remembered(segue: Segue) -> set[str]:
    """The thoughts whose results are on record."""
    store = segue.host.store
    run = await store.find_run(shopping.KEY)
    tasks = await store.read_tasks(run.run) if run is not None else ()
    steps = [
        (task, step) for task in tasks for step in await store.read_steps(task.run, task.node, task.item)
    ]
    first = {"buy": 0, "buy_in_thread": 1}
    return {f"think {2 * task.item + first[task.node]}" for task, step in steps if step.name == "think"}


async def go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """
    Take over from the process that died, look at every doubt as a person would, and compare with what really happened.

    How often each effect in doubt had happened.
    """
    doubts: list[int] = []
    monkeypatch.setattr(shopping, "_outside", folder / "outside")
    async with Segue(folder / "segue.db", worker=False) as segue:
        known = await remembered(segue)
    before = outside(folder)
    async with Segue(folder / "segue.db", durability="fast", agents=[shopping.shopping]) as segue:
        numbers = list(range(shopping.ORDERS))
        handle = await segue.with_(key=shopping.KEY).submit(shopping.shopping, numbers[::2], numbers[1::2])
        try:
            await soon(handle.result())
        except ReviewNeeded:
            assert any(effect.state == "in_doubt" for effect in await handle.effects())
        happened = outside(folder)
        for effect in await handle.effects():
            times = happened[f"pay {effect.key}"]
            assert effect.state in ("done", "in_doubt")
            assert times == 1 if effect.state == "done" else times <= 1, (
                f"{effect.key} happened {times} times"
            )
            if effect.state == "in_doubt":
                outcome = Happened(f"receipt for order {effect.key}") if times else DidNotHappen()
                doubts.append(times)
                await handle.resolve(effect.task, "charge", outcome, by="the one who looked")
        evens, odds = await soon(handle.result())
        assert [*evens, *odds] == [
            f"receipt for order {number}" for number in (*numbers[::2], *numbers[1::2])
        ]
    assert {what: times for what, times in outside(folder).items() if what.startswith("pay")} == {
        f"pay {number}": 1 for number in numbers
    }
    assert {what: outside(folder)[what] for what in known} == {what: before[what] for what in known}
    return doubts


async def test_an_effect_happens_once_or_is_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a sample of the points; a step whose result was committed is not paid for again."""
    kill_at(tmp_path, SAMPLE)
    for number in SAMPLE:
        await go_on(tmp_path / str(number), monkeypatch)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_an_effect_happens_once_or_is_in_doubt_at_every_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At all 200 points; they leave doubts about what happened and about what did not."""
    kill_at(tmp_path, POINTS)
    doubts = [await go_on(tmp_path / str(number), monkeypatch) for number in POINTS]
    assert {times for found in doubts for times in found} == {0, 1}


async def test_forgetting_the_intent_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the intent on record, this very check finds a payment that was made twice."""
    kill_at(tmp_path, ["pay 3", "pay 4"])
    for point in ("pay 3", "pay 4"):
        assert 1 in await go_on(tmp_path / point, monkeypatch)
    kill_at(tmp_path / "mutant", ["pay 3", "pay 4"], "--forget")
    for point in ("pay 3", "pay 4"):
        with pytest.raises(AssertionError, match="happened 2 times"):
            await go_on(tmp_path / "mutant" / point, monkeypatch)
