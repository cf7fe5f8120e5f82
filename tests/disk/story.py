"""
A course of work on a store in which everything happens: joins, maps, retries, failures, reviews, effects, artifacts.

What a task does is made of its name and its run alone, so that whoever goes on after a crash does the same.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

from segue.domain.decisions import Decision
from segue.domain.records import SINGLE, Claim, ClaimRequest, Release, Settlement
from segue.domain.rows import StepRecord
from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Note, Store
from segue.testing import ManualClock
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    Desk,
    handoff,
    join,
    pin_of,
    release,
    root,
    settlement,
)

PARENTS: dict[str, tuple[str, ...]] = {
    "a": (),
    "b": (),
    "c": ("a", "b"),
    "d": ("c",),
    "e": ("c",),
    "f": ("d", "e"),
    "m": ("f",),
    "h": ("m",),
    "r": ("f",),
    "z": ("h", "r"),
}
AGENTS = tuple(f"{node}_agent" for node in PARENTS)
ITEMS = 2
"""How many elements the list of `m` has."""


class Story:
    """One worker's part in it. Every second run fails half-way; in the others `b` needs a second try."""

    def __init__(self, store: Store, artifacts: ArtifactStore, clock: ManualClock, worker: str) -> None:
        self.store = store
        self.artifacts = artifacts
        self.clock = clock
        self.worker = worker
        self.desk = Desk(store, clock)
        self._runs = count(1)

    async def play(self, runs: int) -> None:
        """Submit runs and bring them to their ends; cancel one more half-way."""
        new = [self._new_run() for _ in range(runs + 1)]
        first = await self.store.submit(new[:2], self.worker, LEASE_SECONDS)
        others = [await self.store.submit([each], self.worker, LEASE_SECONDS) for each in new[2:]]
        submitted = [*first, *(each for answer in others for each in answer)]
        await asyncio.gather(*(self._work(each.claims) for each in submitted[1:]))
        await self.desk.cancel(submitted[0].run)
        await self.finish()

    async def go_on(self, *dead: str) -> None:
        """Take over from workers that died, and end what they had begun."""
        await self.store.expire(dead)
        await self.finish()

    async def finish(self) -> None:
        """Claim and work until every run has ended. Raises TimeoutError if that takes for ever."""
        async with asyncio.timeout(60):
            while await self._go_round():
                pass

    async def _go_round(self) -> bool:
        """Do what there is to do, or wait for what others do; whether any run is open."""
        seen = self.store.notifier.count
        claims = await self.store.claim(self._request())
        await self._work(claims)
        open_runs = await self.store.list_runs(1_000, states=["running", "needs_review"])
        decided = [await self._decide(record.run) for record in open_runs]
        if open_runs and not claims and not any(decided):
            await self.store.notifier.wait(seen, 3_600.0)
        return bool(open_runs)

    async def _work(self, claims: Sequence[Claim]) -> None:
        waiting = list(claims)
        while waiting:
            batch, waiting = waiting[:3], waiting[3:]
            await self.store.renew([claim.token for claim in batch], LEASE_SECONDS)
            await self.store.note([Note(batch[0].token, batch[0].agent, "progress", None, '"on it"')])
            settlements = [await self._settlement(claim) for claim in batch]
            asked = self._request(limit=2) if len(batch) == 1 else None
            answers, more = await self.store.settle(settlements, self.worker, LEASE_SECONDS, asked)
            waiting += [*more, *(claim for answer in answers for claim in answer.claims)]

    async def _settlement(self, claim: Claim) -> Settlement:
        node, item = claim.token.node, claim.token.item
        if claim.broken:
            releases = self._releases(claim, ())
            return settlement(claim, None, *releases, ending="skipped", run_resolved=int(node == "z"))
        if node == "m" and item == SINGLE:
            return settlement(claim, None, *self._expansion(), ending="expanded")
        if node == "b" and claim.attempt == 1:
            return settlement(claim, None, ending="retry", data='{"kind":"Error"}')
        if node == "h" and not await self._remembers(claim):
            await self.store.record(claim.token, [self._step(claim, "charge", "effect", "begun")])
            return settlement(claim, None, ending="in_doubt", data='{"kind":"EffectInDoubt"}')
        if node == "e":
            await self._take_steps(claim)
        if node == "r":
            return settlement(claim, self._handoff(claim, "needs_review"), ending="needs_review")
        status = "failed" if node == "d" and self._fails(claim.token.run) else "complete"
        artifacts = (await self._artifact(claim),) if node in "ch" else ()
        record = self._handoff(claim, status, artifacts)
        releases = self._releases(claim, (pin_of(claim, record),))
        return settlement(claim, record, *releases, ending=status, run_resolved=int(node == "z"))

    async def _take_steps(self, claim: Claim) -> None:
        """A step that is taken once, and an effect whose outcome whoever goes on finds out."""
        known = {step.name: step.state for step in await self._remembers(claim)}
        if "ask" not in known:
            await self.store.record(claim.token, [self._step(claim, "ask", "step", "done")])
        if "charge" not in known:
            await self.store.record(claim.token, [self._step(claim, "charge", "effect", "begun")])
        if known.get("charge") != "done":
            await self.store.record(claim.token, [self._step(claim, "charge", "effect", "done")])

    async def _remembers(self, claim: Claim) -> Sequence[StepRecord]:
        return await self.store.read_steps(claim.token.run, claim.token.node, claim.token.item)

    def _step(self, claim: Claim, name: str, kind: Any, state: Any) -> StepRecord:
        key = f"{claim.token.run}-{name}" if kind == "effect" else ""
        body = f'"{name} of {claim.token.run}"'.encode() if state == "done" else None
        return StepRecord(name, kind, state, key, body, claim.token.epoch, self.clock.wall())

    def _releases(self, claim: Claim, pins: Any) -> tuple[Release, ...]:
        """The dependents of a task: those with one parent are claimed at once, the others left to anybody."""
        node = claim.token.node
        broken = not pins or pins[0].status != "complete"
        return tuple(
            join(each, len(parents), parents=parents)._replace(broken=broken)
            if len(parents) > 1 or node == "m"
            else release(each, pins=pins, broken=broken, claim=self._id("claim"))
            for each, parents in PARENTS.items()
            if node in parents
        )

    def _expansion(self) -> tuple[Release, ...]:
        items = [
            release("m", item=item, need=0, resolved=0, claim=self._id("claim")) for item in range(ITEMS)
        ]
        return (*items, join("h", 1, parents=("m",), resolved=1 - ITEMS))

    async def _decide(self, run: str) -> bool:
        """Say a person's word wherever one is waited for; whether it was."""
        tasks = await self.store.read_tasks(run)
        for task in tasks:
            if task.state == "needs_review":
                record = handoff('"approved"', task.version + 1)
                releases = (join("z", 2, parents=PARENTS["z"]),)
                place = (self._id("decision"), run, task.node, task.item, task.version, 0)
                decision = Decision(*place, "approved", False, record, releases, 0, '{"by":"me"}')
                await self.store.review(decision)
            elif task.state == "in_doubt":
                for step in await self.store.read_steps(run, task.node, task.item):
                    word = step._replace(state="done", body=b'"it happened"')
                    await self.store.resolve(run, task.node, task.item, word, '{"by":"me"}')
        return any(task.state in {"needs_review", "in_doubt"} for task in tasks)

    async def _artifact(self, claim: Claim) -> str:
        content = f"bytes of {claim.token.run} {claim.token.node}; ".encode() * 200
        return (await self.artifacts.put(content)).digest

    def _handoff(self, claim: Claim, status: str, artifacts: tuple[str, ...] = ()) -> Any:
        text = f"{claim.token.run} {claim.token.node} {claim.token.item} " * 20
        return handoff(f'"{text}"', claim.version, status, artifacts)

    def _fails(self, run: str) -> bool:
        return int(run.rpartition("-")[2]) % 2 == 1

    def _new_run(self) -> Any:
        roots = [root(node, self._id("claim")) for node, parents in PARENTS.items() if not parents]
        return self.desk.new_run(*roots)._replace(run=f"{self.worker}-run-{next(self._runs)}")

    def _request(self, limit: int = 20) -> ClaimRequest:
        return ClaimRequest(self.worker, self._id("request"), limit, AGENTS, (), LEASE_SECONDS)

    def _id(self, kind: str) -> str:
        return f"{self.worker}-{self.desk.id(kind)}"
