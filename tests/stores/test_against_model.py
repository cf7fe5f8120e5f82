"""SQLite does what the model in memory does, whatever happens in whatever order."""

from collections.abc import Sequence
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any

import pytest

from segue.domain.decisions import Append, Control, ControlKind, Decision, Redrive, Reset, Target, Word
from segue.domain.records import SINGLE, Claim, Ending, Limits, Pin, Release, Settlement
from segue.domain.rows import StepRecord
from segue.errors import KeyConflict
from segue.ports.store import Note, Store
from segue.stores.memory import MemoryStore
from segue.stores.sqlite import SqliteStore
from segue.testing import ManualClock
from segue.testing.conformance.desk import (
    Desk,
    digest_of,
    handoff,
    join,
    quorum,
    release,
    request,
    root,
    settlement,
)

AGENTS = tuple(f"{node}_agent" for node in "abcdefgm")
ENDINGS: tuple[Ending, ...] = (
    "complete",
    "complete",
    "complete",
    "failed",
    "dead",
    "needs_review",
    "in_doubt",
    "skipped",
    "retry",
    "reassigned",
    "handed_back",
    "handed_on",
)
LEAVES_NOTHING: tuple[Ending, ...] = (
    *("retry", "reassigned", "handed_back", "handed_on"),
    *("needs_review", "in_doubt"),
)
LIMITS = (
    None,
    None,
    Limits(queue_seconds=8.0),
    Limits(total_seconds=30.0),
    Limits(queue_seconds=15.0, total_seconds=25.0, deadline=1_700_000_060.0),
)


class Play:
    """A random course of calls, made of a seed; every choice depends on what the stores have answered."""

    def __init__(self, seed: int, stores: Sequence[Store], clock: ManualClock) -> None:
        self.random = Random(seed)
        self.stores = stores
        self.clock = clock
        self.desk = Desk(stores[0], clock)
        self.runs: list[str] = []
        self.claims: list[Claim] = []
        self.past: list[Settlement] = []
        self.commands: list[str] = []

    async def all(self, verb: str, *args: Any) -> Any:
        """Call a verb of every store; their answers must be equal."""
        answers = []
        for store in self.stores:
            try:
                answers.append(await getattr(store, verb)(*args))
            except KeyConflict as error:
                answers.append(str(error))
        first, *others = [_plain(answer) for answer in answers]
        for other in others:
            assert other == first, f"{verb}{args}"
        return answers[0]

    async def step(self) -> None:
        """Do something."""
        moves = (self.submit, self.settle, self.settle, self.settle, self.claim, self.expire, self.renew)
        moves = (*moves, self.record, self.record, self.append, self.resolve, self.retry, self.retry)
        await self.random.choice(
            (
                *moves,
                self.note,
                self.park,
                self.pay,
                self.review,
                self.want,
                self.want,
                self.want,
                self.wait,
                self.prune,
            )
        )()

    async def submit(self) -> None:
        roots = [
            root(node, self.random.choice([None, self._id()]), self._limits())
            for node in self.random.sample("abcd", self.random.randint(0, 3))
        ]
        key = self.random.choice([None, None, "k1", "k2"])
        new = self.desk.new_run(
            *roots, key=key, waits_for=self.random.randint(1, 4), text=self.random.choice("12")
        )
        new = new._replace(caps=self.random.choice([(), (("tokens", 50),)]))
        batch = [new] * self.random.randint(1, 2)
        answer = await self.all("submit", batch, "w1", 30.0)
        if not isinstance(answer, str):
            self.runs.append(new.run)
            self.claims += [claim for submitted in answer for claim in submitted.claims]

    async def settle(self) -> None:
        chosen = self.random.sample(self.claims, min(len(self.claims), self.random.randint(0, 4)))
        batch = [self._settlement(claim) for claim in chosen]
        if self.past and self.random.random() < 0.3:
            batch.insert(self.random.randint(0, len(batch)), self.random.choice(self.past))
        asked = self._request() if self.random.random() < 0.3 else None
        answers, claims = await self.all("settle", batch, "w1", 30.0, asked)
        self.claims += [*claims, *(claim for answer in answers for claim in answer.claims)]
        self.past += batch

    def _settlement(self, claim: Claim) -> Settlement:
        ending = self.random.choice(ENDINGS)
        status = ending if ending in {"failed", "needs_review", "handed_on"} else "complete"
        leaves = ending in {"complete", "needs_review", "handed_on"} or (
            ending == "failed" and self.random.random() < 0.5
        )
        artifacts = (digest_of(self._id().encode()),) if self.random.random() < 0.2 else ()
        version = claim.version + (self.random.random() < 0.05)
        record = handoff(f'"{self.random.randint(0, 3)}"', version, status, artifacts) if leaves else None
        ends_task = ending not in LEAVES_NOTHING
        pins = (Pin(claim.token.node, claim.token.item, version, record.digest, status),) if record else ()
        releases = self._releases(claim, pins) if ends_task else ()
        if self.random.random() < 0.1:
            claim = claim._replace(
                token=claim.token._replace(epoch=claim.token.epoch + self.random.choice([-1, 1]))
            )
        return settlement(
            claim,
            record,
            *releases,
            ending=ending,
            run_resolved=self.random.choice([0, 0, 1]) if ends_task else 0,
            not_before=self.random.choice([0.0, 10.0]),
            data=self.random.choice([None, '{"kind":"Error"}']),
            speculative=self.random.random() < 0.1,
        )._replace(
            successor=self.random.choice(AGENTS),
            tolerated=self.random.random() < 0.5,
            review_seconds=self.random.choice([None, 5.0, 30.0]) if ending == "needs_review" else None,
        )

    def _releases(self, claim: Claim, pins: tuple[Pin, ...]) -> tuple[Release, ...]:
        chosen: list[Release] = []
        for node in self.random.sample("abcdefg", self.random.randint(0, 3)):
            broken = self.random.random() < (0.5 if node == "g" else 0.1)
            claim_id = self._id() if self.random.random() < 0.6 else None
            if node == "g":
                parts = {"resolved": self.random.choice([0, -1, -2])} if broken else {}
                two_of_four = quorum(node, 2, 2, parents=("a", "b", "m"), claim=claim_id, **parts)
                chosen.append(two_of_four._replace(broken=broken, limits=self._limits()))
            elif node in "ef":
                one_of_two = join(node, 2, parents=("a", "b", "m"), claim=claim_id)
                chosen.append(one_of_two._replace(broken=broken, limits=self._limits()))
            else:
                chosen.append(release(node, pins=pins, broken=broken, claim=claim_id, limits=self._limits()))
        if self.random.random() < 0.1:
            count = self.random.randint(0, 3)
            items = [release("m", item=item, need=0, resolved=0, claim=self._id()) for item in range(count)]
            chosen += [*items, join("h", 1, parents=("m",), resolved=1 - count)]
        return tuple(chosen)

    async def claim(self) -> None:
        self.claims += await self.all("claim", self._request())

    def _request(self) -> Any:
        agents = self.random.sample(AGENTS, self.random.randint(1, len(AGENTS)))
        limits = tuple((agent, self.random.randint(0, 2)) for agent in agents if self.random.random() < 0.3)
        claim = self._id() if self.random.random() < 0.9 else "again"
        worker = self.random.choice(["w1", "w2"])
        wanted = request(
            *agents, claim=claim, limit=self.random.randint(1, 6), worker=worker, per_agent=limits
        )
        return wanted._replace(suspects=self.random.randint(0, 2))

    def _limits(self) -> Limits | None:
        return self.random.choice(LIMITS)

    async def expire(self) -> None:
        dead_workers = self.random.choice([(), ("w1",), ("w1", "w2"), ("w2", "w3")])
        await self.all("expire", dead_workers, self.random.random() < 0.7)

    async def renew(self) -> None:
        tokens = [claim.token for claim in self.random.sample(self.claims, min(3, len(self.claims)))]
        await self.all("renew", tokens, 30.0)

    async def note(self) -> None:
        if self.claims:
            claim = self.random.choice(self.claims)
            pin = self.random.choice(
                [None, Pin("z", SINGLE, self.random.randint(1, 2), "sha256:z", "complete")]
            )
            await self.all(
                "note", [Note(claim.token, claim.agent, "awaited" if pin else "progress", pin, None)]
            )

    async def park(self) -> None:
        """Wait in the middle, mostly for what is there; or go on again."""
        if self.claims:
            token = self.random.choice(self.claims[-8:]).token
            awaits = tuple(self.random.sample("abcdefghm", self.random.randint(1, 2)))
            await (
                self.all("park", token, awaits) if self.random.random() < 0.7 else self.all("go_on", token)
            )

    async def review(self) -> None:
        """Decide on something, mostly where it waits; sometimes too late, twice, or about what is no longer so."""
        if not self.runs:
            return
        run = self.random.choice(self.runs)
        tasks = await self.stores[0].read_tasks(run)
        waiting = [task for task in tasks if task.state == "needs_review"] or tasks
        if not waiting:
            return
        task = self.random.choice(waiting)
        word: Word = self.random.choice(["approved", "rejected", "escalated", "refused"])
        version = task.version + (self.random.random() < 0.1)
        status = {"approved": "complete", "rejected": "failed"}.get(word)
        record = None if status is None else handoff(self.random.choice(['"x"', '"y"']), version + 1, status)
        releases = (release("d"), join("e", 2, parents=("a",)))[: self.random.randint(0, 2)]
        name = self._id() if self.random.random() < 0.9 else "again"
        place = (name, run, task.node, task.item, version, task.escalations + (self.random.random() < 0.1))
        late = task.review_by is not None and task.review_by <= self.clock.wall()
        decision = Decision(*place, word, late, record, releases if record else (), int(bool(record)), None)
        seconds = self.random.choice([None, 5.0, 30.0])
        await self.all("review", decision._replace(review_seconds=seconds if word == "escalated" else None))

    async def append(self) -> None:
        if self.claims:
            token = self.random.choice(self.claims).token
            node = f"{token.node}/child.{self.random.randint(1, 2)}"
            record = handoff('{"x":1}', 1, "handed_on")
            key = self.random.choice("kl")
            await self.all("append", token, Append(node, "a_agent", key, "{}", record, self._limits()))
            await self.all("read_growth", token.run)

    async def pay(self) -> None:
        """Set something aside, for oneself or for what may be delegated, or say what was spent."""
        if not self.claims:
            return
        token = self.random.choice(self.claims[-8:]).token
        asked = (("tokens", self.random.randint(0, 20)),)
        child = f"{token.node}/child.{self.random.randint(1, 2)}"
        if self.random.random() < 0.4 and token.item == SINGLE:
            await self.all("reserve", token, f"share of {child}", asked, child)
        elif self.random.random() < 0.5:
            await self.all("reserve", token, self.random.choice("xy"), asked)
        else:
            await self.all("spend", token, self.random.choice(["x", "y", "z", f"share of {child}"]), asked)
        await self.all("read_spending", token.run)

    async def retry(self) -> None:
        """Begin tasks of a run anew, sometimes some that cannot be, or on what is no longer so."""
        if not self.runs:
            return
        run = self.random.choice(self.runs)
        tasks = await self.stores[0].read_tasks(run)
        given_up = [task for task in tasks if task.state in {"failed", "dead", "skipped", "waiting"}]
        chosen = tasks if self.random.random() < 0.1 else given_up
        resets = tuple(
            Reset(
                task.node,
                task.item,
                task.epoch + (self.random.random() < 0.05),
                f"{task.node}_agent",
                self.random.randint(0, 2),
                self._limits(),
                2 if task.node == "g" else None,
            )
            for task in self.random.sample(chosen, self.random.randint(0, len(chosen)))
        )
        progress = sum(task.epoch + task.version for task in tasks) - (self.random.random() < 0.1)
        await self.control(run, "retry", redrive=Redrive(resets, self.random.randint(1, 3), progress))

    async def control(self, run: str, kind: ControlKind, *targets: Target, **more: Any) -> None:
        """Want something of a run, sometimes under a name that it knows."""
        known = self.commands[-9:] if self.random.random() < 0.1 else []
        command = self.random.choice([*known, self._id()])
        self.commands.append(command)
        await self.all("control", Control(run, kind, command, kind, '{"by":"me"}', targets, **more))

    async def want(self) -> None:
        """Want anything of a run or of tasks of it, that are there or not."""
        if not self.runs:
            return
        run = self.random.choice(self.runs)
        kinds: tuple[ControlKind, ...] = (
            "pause",
            "pause",
            "resume",
            "resume",
            "cancel",
            "reassign",
            "annotate",
        )
        kind = self.random.choice(kinds)
        nodes = self.random.sample("abcdefgm", self.random.choice([0, 1, 1, 2]))
        if (kind == "reassign" and not nodes) or (
            kind == "cancel" and not nodes and self.random.random() < 0.7
        ):
            return
        more: dict[str, Any] = {}
        if kind == "pause":
            until = self.random.choice([None, None, *"abcem"])
            more = {"interrupt": self.random.random() < 0.3}
            more |= {"until": self._target(until, kind)} if until is not None and until not in nodes else {}
        if kind == "reassign":
            more = {"successor": self.random.choice([None, *AGENTS])}
        if kind == "cancel":
            spare = [node for node in "abcem" if node not in nodes and self.random.random() < 0.1]
            needless = tuple(self._target(node, "pause")._replace(item=SINGLE) for node in spare)
            more = {"error": '{"kind":"cancelled"}', "needless": needless}
        await self.control(run, kind, *(self._target(node, kind) for node in nodes), **more)

    def _target(self, node: str, kind: ControlKind) -> Target:
        item = self.random.choice([0, 1, SINGLE]) if node == "m" else SINGLE
        birth = join(node, 1, parents=("a", "b"), resolved=0)
        if node == "g":
            birth = quorum(node, 2, 2, parents=("a", "b", "m"), resolved=0)
        target = Target(node, item, birth if item == SINGLE and self.random.random() < 0.8 else None)
        if kind != "cancel":
            return target
        releases = (release("d"), join("e", 2, parents=("a",)))[: self.random.randint(0, 2)]
        tolerated = self.random.random() < 0.3
        left = handoff("null", self.random.randint(1, 3), "failed") if self.random.random() < 0.7 else None
        return target._replace(
            handoff=left, releases=releases, run_resolved=self.random.choice([0, 1]), tolerated=tolerated
        )

    def _step(self, epoch: int) -> StepRecord:
        kind = self.random.choice(["step", "effect", "effect"])
        state = "done" if kind == "step" else self.random.choice(["begun", "begun", "done", "withdrawn"])
        body = self.random.choice([b"1", b"2"]) if state == "done" else None
        artifacts = (digest_of(self._id().encode()),) if body and self.random.random() < 0.2 else ()
        name = self.random.choice("xyz")
        return StepRecord(name, kind, state, "key" * (kind == "effect"), body, epoch, 3.0, artifacts)

    async def record(self) -> None:
        if self.claims:
            token = self.random.choice(self.claims[-8:]).token
            epoch = token.epoch + (self.random.random() < 0.05)
            steps = [self._step(epoch) for _ in range(self.random.randint(1, 3))]
            for _ in range(self.random.randint(1, 2)):
                await self.all("record", token._replace(epoch=epoch), steps)

    async def resolve(self) -> None:
        if self.claims:
            token = self.random.choice(self.claims).token
            await self.all("resolve", *token[:3], self._step(0), '{"by":"me"}')

    async def wait(self) -> None:
        self.clock.advance(self.random.choice([0.5, 5.0, 20.0]))
        if self.random.random() < 0.1:
            self.clock.jump(self.random.choice([-20.0, 20.0]))

    async def prune(self) -> None:
        if self.random.random() < 0.3:
            await self.all("prune", self.clock.wall() - self.random.choice([0.0, 30.0]))

    async def compare(self) -> None:
        """Everything that can be read is equal."""
        await self.all("list_runs", 100)
        await self.all("list_runs", 3, None, ["failed", "complete", "needs_review"])
        await self.all("tail", None, 10_000)
        await self.all("artifact_references")
        await self.all("read_pauses")
        await self.all("next_due", AGENTS)
        await self.all("read_reviews")
        await self.all("read_reviews", True)
        for run in self.runs:
            await self.all("read_run", run)
            await self.all("read_pauses", run)
            await self.all("read_tasks", run)
            await self.all("read_spending", run)
            await self.all("latest_handoffs", run)
            await self.all("tail", None, 1_000, run)
            tasks = await self.stores[0].read_tasks(run)
            pins = [(task.node, task.item, version) for task in tasks for version in (1, 2, 3)]
            await self.all("read_handoffs", run, pins)
            for task in tasks:
                await self.all("read_steps", run, task.node, task.item)

    def _id(self) -> str:
        return self.desk.id("claim")


def _plain(answer: Any) -> Any:
    """An answer without what is a store's own: its cursors."""
    if isinstance(answer, tuple) and hasattr(answer, "cursor"):
        return tuple(answer[1:])
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], str) and ":" in answer[1]:
        return _plain(answer[0])
    if isinstance(answer, list | tuple):
        return [_plain(each) for each in answer]
    return answer


@pytest.mark.parametrize("first_seed", range(0, 60, 5))
async def test_both_answer_alike(tmp_path: Path, first_seed: int) -> None:
    """After every call of a random course both stores have answered the same, and hold the same in the end."""
    for seed in range(first_seed, first_seed + 5):
        clock = ManualClock()
        sqlite = SqliteStore(tmp_path / f"{seed}.db", "fast", clock)
        await sqlite.open()
        play = Play(seed, [MemoryStore(clock), sqlite], clock)
        for number in range(120):
            await play.step()
            if number % 20 == 19:
                await play.compare()
        await sqlite.close()
