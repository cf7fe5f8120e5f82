"""`segue pools`: how large pools are, who holds places and who waits for some."""

from __future__ import annotations

import asyncio

from segue import Segue, agent, workflow
from tests.cli.conftest import Project


def test_a_pool_is_made_and_listed(project: Project) -> None:
    """Setting one makes the store if there is none; the list says what is held and what waits."""
    assert project.run("pools", "gpu", "2").stdout == "gpu has 2 places\n"
    assert project.run("pools", "licence", "1").stdout == "licence has 1 place\n"
    assert [line.split() for line in project.run("pools").stdout.splitlines()] == [
        ["pool", "capacity", "held", "waiting", "task"],
        ["gpu", "2", "0", "0"],
        ["licence", "1", "0", "0"],
    ]
    assert [pool["name"] for pool in project.json("pools", "gpu")] == ["gpu"]
    assert project.json("pools", "gpu", "0") == {"name": "gpu", "capacity": 0}
    assert [pool["name"] for pool in project.json("pools")] == ["licence"]


def test_who_holds_and_who_waits_is_named(project: Project) -> None:
    """Each with its run and task, the one that holds before those that wait."""

    async def look() -> tuple[str, str, list[object]]:
        running, over = asyncio.Event(), asyncio.Event()

        @agent(pool="gpu")
        async def train(number: int) -> int:
            running.set()
            await over.wait()
            return number

        @workflow
        def many(numbers: list[int]) -> list[int]:
            return train.map(numbers)

        async with Segue(project.store) as segue:
            await segue.set_pool("gpu", 1)
            handle = await segue.submit(many, [1, 2])
            await running.wait()
            table = await asyncio.to_thread(project.run, "pools")
            found = await asyncio.to_thread(project.json, "pools")
            over.set()
            await handle.result()
        return handle.run, table.stdout, found

    run, table, (pool,) = asyncio.run(look())
    assert f"train[0] of {run} holds" in table
    assert f"train[1] of {run} waits" in table
    assert isinstance(pool, dict)
    assert (pool["capacity"], pool["held"], pool["waiting"]) == (1, 1, 1)
    assert [(each["task"], each["places"]) for each in pool["holders"]] == [("train[0]", 1)]
    assert [(each["task"], each["places"]) for each in pool["waiters"]] == [("train[1]", 1)]


def test_what_cannot_be_is_refused(ran: Project) -> None:
    """A pool that is not there, a capacity below zero, and a store in memory."""
    assert "there is no pool 'tpu'" in ran.refused("pools", "tpu").stderr
    assert "segue pools tpu 1" in ran.refused("pools", "tpu").stderr
    assert ran.run("pools").stderr == "No pools.\n"
    assert "memory" in ran.refused("pools", "gpu", "1", "--store", "memory:").stderr
