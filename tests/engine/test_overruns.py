"""Each kind of agent over each budget: reassigned or failed as its policy says, and fenced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, RunFailed, Segue, workflow
from segue.domain.records import Claim
from segue.domain.rows import StepRecord
from segue.testing.conformance.desk import handoff, settlement
from tests.engine import overrunning

FOR_EVER = 1_000
BUDGETS = {
    "timeout": "ran for longer than its timeout of 0.25 s",
    "idle": "showed no progress for longer than its idle budget of 0.25 s",
    "queue": "waited for a worker for longer than its queue budget of 0.25 s",
    "deadline": "was not done by its deadline of 0.25 s",
}


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    """Threads that hang end with their test."""
    overrunning.let_go.clear()
    yield
    overrunning.let_go.set()


async def assert_fenced(segue: Segue, loser: Claim) -> None:
    """What the loser would still write is refused, and changes nothing."""
    store, token = segue.host.store, loser.token
    before = await store.read_tasks(token.run), await store.tail(None, 1_000, token.run)
    (answer,), _ = await store.settle([settlement(loser, handoff("0"), run_resolved=1)], "loser", 10.0)
    assert answer.verdict == "stale"
    assert (
        await store.record(token, [StepRecord("late", "step", "done", "", b"0", token.epoch, 0.0)]) == "stale"
    )
    assert (await store.read_tasks(token.run), await store.tail(None, 1_000, token.run)) == before


@pytest.mark.parametrize("policy", ["reassign", "fail"])
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(
    "kind", [overrunning.awaits, overrunning.blocks, overrunning.is_apart], ids=lambda agent: agent.name
)
async def test_an_overrun(kind: Agent[int], budget: str, policy: Any, tmp_path: Path) -> None:
    """
    With "reassign" the task is tried again, but past its deadline; with "fail" it has failed; and the error says so.

    What lies too long is settled by a worker that does not have its agent, and begun by one that has.
    """
    again = policy == "reassign" and budget != "deadline"
    settings: Any = {budget: 0.25, "retries": 500, "backoff": None, "on_overrun": policy}
    claims: list[Claim] = []

    @workflow
    def once(hangs_until: int) -> int:
        return kind.with_(**settings)(hangs_until)

    def observe(claim: Claim, what: str, data: str | None) -> None:
        if what == "claimed":
            claims.append(claim)

    store = tmp_path / "segue.db"
    async with Segue(store, durability="fast", worker=budget != "queue") as segue:
        if segue.host.engine is not None:
            segue.host.engine.observer = observe
        handle = await segue.submit(once, 2 if again else FOR_EVER)
        if budget == "queue":
            async with Segue(store, durability="fast") as without:
                without.host.engine.observer = observe
                async for _ in without.events(handle.run, names=["task.retry", "task.failed"]):
                    break
        async with Segue(store, durability="fast", agents=[once] if budget == "queue" else []):
            if again:
                assert await handle.result() > 1
            else:
                with pytest.raises(RunFailed, match=BUDGETS[budget]):
                    await handle.result()
        await assert_fenced(segue, claims[0])
        (task,) = await segue.host.store.read_tasks(handle.run)
        assert task.state == ("complete" if again else "failed")
        names = [event.name.rpartition(".")[2] async for event in segue.events(handle.run, names="task.*")]
        assert ("retry" in names) == again
        told = [json.loads(event.data or "{}") async for event in segue.events(handle.run, names="task.*")]
        assert any(BUDGETS[budget] in str(data.get("message")) for data in told)
