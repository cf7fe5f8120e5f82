"""Reviews: what waits for whom, decisions that count and that do not, and what happens when nobody decides."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from segue import (
    Artifact,
    Handoff,
    HandTo,
    Review,
    ReviewNeeded,
    ReviewRefused,
    RunFailed,
    Segue,
    agent,
    ctx,
    workflow,
)
from segue.errors import InvalidPayload, UnknownRun, UsageError
from segue.testing import ManualClock
from tests.engine.conftest import Open
from tests.engine.deadlines import soon
from tests.engine.deciding import decide

PROGRAM = Path(__file__).with_name("reviewing.py")
OTHER = f"sha256:{'0' * 64}"
HOUR = 3600.0


class Letter(BaseModel):
    """What is reviewed."""

    to: str
    text: str = ""


def letters(review: Review, ran: Counter[str] | None = None) -> Any:
    """A workflow whose draft is reviewed; what runs is counted."""
    counted: Counter[str] = Counter() if ran is None else ran

    @agent(review=review)
    async def draft(to: str) -> Handoff[Letter]:
        counted["draft"] += 1
        return Handoff(Letter(to=to, text="no"), summary="a no", confidence=0.4, decisions=["be short"])

    @agent
    async def send(letter: Handoff[Letter]) -> list[Any]:
        counted["send"] += 1
        return [letter.output.text, letter.sent.version, list(letter.decisions)]

    @workflow
    def answer(to: str) -> list[Any]:
        return send(draft(to))

    return answer


async def ask(segue: Segue, asked: Any) -> Any:
    """Submit it, and wait until it waits for a person."""
    handle = await segue.submit(asked, "bob")
    with pytest.raises(ReviewNeeded, match="decision on draft"):
        await soon(handle.result())
    return handle


async def told(segue: Segue, run: str, kind: str) -> list[Any]:
    """The data of the events of a kind of the task that is reviewed."""
    events, _ = await segue.host.store.tail(None, 1_000, run)
    return [json.loads(each.data or "null") for each in events if each.name == f"task.draft.{kind}"]


async def test_every_hand_off_of_a_reviewed_agent_waits(segue: Segue) -> None:
    """An agent has its review by its settings: who may decide, until when, on what, and under which digest."""
    handle = await ask(segue, letters(Review(by=("ann", "ops"), expires="24h")))
    (shown,) = await segue.reviews()
    assert (shown.run, shown.task, shown.version, shown.by) == (handle.run, "draft", 1, ("ann", "ops"))
    assert (shown.output, shown.summary) == ({"to": "bob", "text": "no"}, "a no")
    assert shown.until is not None
    assert shown.until == pytest.approx(shown.since + 24 * HOUR)
    assert shown.digest == (await handle.handoff("draft")).sent.digest
    assert await segue.reviews(handle.run) == (shown,)
    with pytest.raises(UnknownRun):
        await segue.reviews("no such run")


async def test_an_approval_continues_without_running_anything_again(segue: Segue) -> None:
    """What was approved goes on as version 2, its agent ran once, and the record has who decided, on what, and why."""
    ran: Counter[str] = Counter()
    handle = await ask(segue, letters(Review(by="ann"), ran))
    (shown,) = await segue.reviews()
    await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann", note="fine")
    assert await soon(handle.result()) == ["no", 2, ["be short"]]
    assert ran == {"draft": 1, "send": 1}
    (about,) = await told(segue, handle.run, "complete")
    assert about == {"by": "ann", "approved": True, "note": "fine", "digest": shown.digest}
    assert await segue.reviews() == ()


async def test_items_of_a_map_are_reviewed_one_by_one(segue: Segue) -> None:
    """Each element of a mapped list waits by itself, and can be decided on by itself."""

    @agent(review=Review(by="ann"))
    async def half(number: int) -> int:
        return number // 2

    @agent
    async def total(halves: list[int]) -> int:
        return sum(halves)

    @workflow
    def halves(numbers: list[int]) -> int:
        return total(half.map(numbers))

    handle = await segue.submit(halves, [2, 4, 6])
    with pytest.raises(ReviewNeeded, match=r"half\[0\], half\[1\], half\[2\]"):
        await soon(handle.result())
    for task in ("half[0]", "half[2]", "half[1]"):
        await decide(segue, handle.run, task, approve=True, by="ann")
    assert await soon(handle.result()) == 6


@pytest.mark.parametrize(
    ("wrong", "reason", "message", "is_told"),
    [
        ({"by": "eve"}, "no right", "eve may not decide on it", True),
        ({"digest": OTHER}, "other digest", "what waits is version 1, sha256:", True),
        ({"task": "send"}, "not waiting", "nothing waits for a decision on send .* it is waiting", False),
    ],
    ids=["name", "digest", "task"],
)
async def test_a_decision_that_does_not_count(
    segue: Segue, wrong: dict[str, str], reason: str, message: str, is_told: bool
) -> None:
    """Each wrong use is refused for its reason and changes nothing; those that concern others are in the log."""
    handle = await ask(segue, letters(Review(by="ann")))
    (shown,) = await segue.reviews()
    word = {"task": "draft", "digest": shown.digest, "by": "ann", **wrong}
    with pytest.raises(ReviewRefused, match=message) as caught:
        await segue.review(handle.run, word.pop("task"), approve=True, **word)
    assert (caught.value.reason, caught.value.run) == (reason, handle.run)
    assert caught.value.remedy
    assert await segue.reviews() == (shown,)
    refused = await told(segue, handle.run, "review_refused")
    expected = {"by": word["by"], "approve": True, "digest": word["digest"], "reason": reason}
    assert refused == [expected] * is_told


async def test_a_second_decision_is_refused(segue: Segue) -> None:
    """Who comes second is told by whom it was decided, whatever they say; and so is who speaks of a run that failed."""
    handle = await ask(segue, letters(Review(by=("ann", "ops"))))
    (shown,) = await segue.reviews()
    word = {"digest": shown.digest, "by": "ops"}
    await segue.review(handle.run, "draft", digest=shown.digest, approve=False, by="ann", note="rude")
    for approve in (True, False):
        with pytest.raises(ReviewRefused, match="was rejected by ann before") as caught:
            await segue.review(handle.run, "draft", approve=approve, **word)
        assert caught.value.reason == "decided"
    with pytest.raises(RunFailed, match="ann rejected it: rude"):
        await soon(handle.result())


async def test_changed_content_is_not_approved(segue: Segue) -> None:
    """After a rejection the agent tries again: who still has the first draft in view cannot approve the second."""
    drafts = iter(["no", "sorry"])

    @agent(review=Review(by="ann"))
    async def draft(to: str) -> str:
        return f"{next(drafts)}, {to}"

    @workflow
    def answer(to: str) -> str:
        return draft(to)

    handle = await ask(segue, answer)
    (first,) = await segue.reviews()
    await segue.review(handle.run, "draft", digest=first.digest, approve=False, by="ann")
    await handle.retry(by="ann")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())
    with pytest.raises(ReviewRefused, match="what waits is version 3") as caught:
        await segue.review(handle.run, "draft", digest=first.digest, approve=True, by="ann")
    assert caught.value.reason == "other digest"
    await decide(segue, handle.run, "draft", approve=True, by="ann")
    assert await soon(handle.result()) == "sorry, bob"


@pytest.mark.parametrize(
    "output", [Letter(to="bob", text="yes"), {"to": "bob", "text": "yes"}], ids=["value", "data"]
)
async def test_an_approval_with_another_output(segue: Segue, output: Any) -> None:
    """What a person hands over instead is the next version, as a value or as data; what was decided before stays."""
    handle = await ask(segue, letters(Review(by="ann")))
    (shown,) = await segue.reviews()
    await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann", output=output)
    assert await soon(handle.result()) == ["yes", 2, ["be short"]]
    approved = await handle.handoff("draft")
    assert (approved.summary_derived, approved.confidence) == (True, None)
    (about,) = await told(segue, handle.run, "complete")
    assert (about["edited"], about["digest"]) == (True, shown.digest)


async def test_a_large_output_of_a_person_becomes_an_artifact(segue: Segue) -> None:
    """What a person hands over spills like what an agent does, and is read back whole."""
    handle = await ask(segue, letters(Review(by="ann")))
    (shown,) = await segue.reviews()
    long = {"to": "bob", "text": "yes " * 10_000}
    await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann", output=long)
    assert (await soon(handle.result()))[0] == long["text"]


@pytest.mark.parametrize(
    ("output", "message"),
    [({"to": 3}, "to"), ({"to": "bob", "texte": "yes"}, "texte"), ("yes", "Letter"), (None, "Letter")],
    ids=["type", "unknown field", "text", "none"],
)
async def test_an_output_that_does_not_fit(segue: Segue, output: Any, message: str) -> None:
    """It is checked before anything is written, and nothing of it is dropped; the review goes on waiting."""
    handle = await ask(segue, letters(Review(by="ann")))
    (shown,) = await segue.reviews()
    with pytest.raises(InvalidPayload, match=message):
        await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann", output=output)
    assert await segue.reviews() == (shown,)


async def test_words_that_are_no_decision(segue: Segue) -> None:
    """Nobody, the name of what decides when nobody does, words that nobody could read back: each is refused."""
    handle = await ask(segue, letters(Review()))
    (shown,) = await segue.reviews()
    for by in ("", " ", "policy", None):
        with pytest.raises(UsageError, match="is nobody's name"):
            await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by=by)  # type: ignore[arg-type]
    for word, message in (
        ({"approve": True, "by": "ann\ud800"}, "by is .* which no store can keep"),
        ({"approve": True, "by": "ann", "note": "half \ud800"}, "note is .* which no store can keep"),
        (
            {"approve": True, "by": "ann", "note": "n" * 4_001},
            "note has 4,001 characters, and SAID_CHARACTERS is",
        ),
        ({"approve": "no", "by": "ann"}, "approve='no' is no decision"),
    ):
        with pytest.raises(UsageError, match=message):
            await segue.review(handle.run, "draft", digest=shown.digest, **word)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="for what is rejected"):
        await segue.review(handle.run, "draft", digest=shown.digest, approve=False, by="ann", output=1)
    with pytest.raises(UnknownRun):
        await segue.review(handle.run, "nothing", digest=shown.digest, approve=True, by="ann")


async def test_another_output_needs_the_agent(tmp_path: Path) -> None:
    """Where the agent is not known its output cannot be checked, and the error says so; to offer it is enough."""
    asked = letters(Review(by="ann"))
    async with Segue(tmp_path / "segue.db") as segue:
        handle = await ask(segue, asked)
        (shown,) = await segue.reviews()
    word = {"digest": shown.digest, "approve": True, "by": "ann", "output": {"to": "bob"}}
    async with Segue(tmp_path / "segue.db", worker=False) as segue:
        with pytest.raises(UsageError, match="its agent 'draft' is not known here"):
            await segue.review(handle.run, "draft", **word)
    async with Segue(tmp_path / "segue.db", worker=False, agents=[asked]) as segue:
        await segue.review(handle.run, "draft", **word)
        assert (await segue.handle(handle.run).handoff("draft")).output == {"to": "bob", "text": ""}


@pytest.mark.parametrize(("then", "result"), [("approve", ["no", 2, ["be short"]]), ("reject", None)])
async def test_the_terms_decide_in_the_end(open_segue: Open, then: Any, result: Any) -> None:
    """An expired review continues the run as its terms say, by the wall clock; nothing runs again, and it is told."""
    clock, ran = ManualClock(), Counter[str]()
    segue = await open_segue(clock=clock)
    handle = await ask(segue, letters(Review(by="ann", expires="24h", then=then), ran))
    (shown,) = await segue.reviews()
    clock.jump(24 * HOUR)
    with pytest.raises(ReviewRefused, match="time for a decision has run out") as caught:
        await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann")
    assert caught.value.reason == "expired"
    clock.advance(10.0)
    kind = "complete" if then == "approve" else "failed"
    await soon(_until_told(segue, handle.run, f"draft.{kind}"))
    if result is not None:
        assert await soon(handle.result()) == result
    else:
        with pytest.raises(RunFailed, match="none of ann has decided on it in time"):
            await soon(handle.result())
    assert ran["draft"] == 1
    (about,) = await told(segue, handle.run, kind)
    assert (about["by"], about["digest"], about["approved"]) == ("policy", shown.digest, then == "approve")
    with pytest.raises(ReviewRefused, match="by policy before"):
        await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann")


async def test_a_review_is_passed_on_along_the_chain(open_segue: Open) -> None:
    """One after the other may decide, each in their own time; those before may not any more; the last word is said."""
    boss = Review(by="boss", expires="2h", then="approve")
    chain = Review(by="ann", expires="1h", then="escalate", escalate_to=boss)
    clock = ManualClock()
    segue = await open_segue(clock=clock)
    handle = await ask(segue, letters(chain))
    (first,) = await segue.reviews()
    assert (first.by, first.then, first.escalations) == (("ann",), "escalate", 0)
    clock.advance(HOUR)
    await soon(_until_told(segue, handle.run, "escalated"))
    (second,) = await segue.reviews()
    assert (second.by, second.then, second.escalations) == (("boss",), "approve", 1)
    assert (second.digest, second.version) == (first.digest, 1)
    assert second.until == pytest.approx(clock.wall() + 2 * HOUR)
    assert await told(segue, handle.run, "escalated") == [{"by": "policy", "expired": True, "to": ["boss"]}]
    with pytest.raises(ReviewRefused, match="ann may not decide"):
        await segue.review(handle.run, "draft", digest=first.digest, approve=True, by="ann")
    clock.advance(2 * HOUR)
    await soon(_until_told(segue, handle.run, "draft.complete"))
    assert await soon(handle.result()) == ["no", 2, ["be short"]]


async def _until_told(segue: Segue, run: str, kind: str) -> None:
    async for _ in segue.events(run, names=[f"task.{kind}"]):
        return


async def test_any_worker_carries_the_terms_out(tmp_path: Path) -> None:
    """A worker without the agent, on another machine's clock even, settles what is overdue when it starts."""
    asked = letters(Review(by="ann", expires="1h", then="approve"))
    async with Segue(tmp_path / "segue.db", clock=(clock := ManualClock())) as segue:
        handle = await ask(segue, asked)
    clock.advance(HOUR)
    async with Segue(tmp_path / "segue.db", clock=clock) as segue:
        assert (await soon(segue.wait(handle.run, "draft"))).sent.version == 2  # type: ignore[union-attr]
    async with Segue(tmp_path / "segue.db", clock=clock, agents=[asked]) as segue:
        assert await soon(segue.handle(handle.run).result()) == ["no", 2, ["be short"]]


async def test_an_agent_that_asks_itself_has_the_terms_of_its_review(segue: Segue) -> None:
    """`needs_review` of an agent that has a review is the same review, and not a second one."""

    @agent(review=Review(by="ann"))
    async def draft(to: str) -> Handoff[str]:
        return Handoff(to, status="needs_review")

    @workflow
    def answer(to: str) -> str:
        return draft(to)

    handle = await ask(segue, answer)
    with pytest.raises(ReviewRefused, match="eve may not"):
        await decide(segue, handle.run, "draft", approve=True, by="eve")
    await decide(segue, handle.run, "draft", approve=True, by="ann")
    assert await soon(handle.result()) == "bob"


async def test_a_fallback_has_the_review_of_its_own_settings(segue: Segue) -> None:
    """Who takes over hands over by its own terms: other people, or none."""

    @agent(review=Review(by="cay"))
    async def careful(to: str) -> str:
        return f"dear {to}"

    @agent(review=Review(by="ann"), fallback=careful)
    async def draft(to: str) -> str:
        raise ConnectionError("no model")

    @workflow
    def answer(to: str) -> str:
        return draft(to)

    handle = await ask(segue, answer)
    (shown,) = await segue.reviews()
    assert (shown.agent, shown.by) == ("careful", ("cay",))
    await decide(segue, handle.run, "draft", approve=True, by="cay")
    assert await soon(handle.result()) == "dear bob"


async def test_who_gets_a_task_at_run_time_has_its_own_review(open_segue: Open) -> None:
    """A task that was handed on is reviewed by the terms of the agent that it is with, in the end too."""

    @agent(review=Review(by="cay", expires="1h", then="escalate", escalate_to=Review(by="dan")))
    async def careful(to: str) -> str:
        return f"dear {to}"

    @agent(review=Review(by="ann"))
    async def draft(to: str) -> str | HandTo:
        return HandTo(careful, to=to)

    @workflow
    def answer(to: str) -> str:
        return draft(to)

    clock = ManualClock()
    segue = await open_segue(clock=clock, agents=[careful])
    handle = await ask(segue, answer)
    (shown,) = await segue.reviews()
    assert (shown.agent, shown.by, shown.version) == ("careful", ("cay",), 2)
    clock.advance(HOUR)
    await soon(_until_told(segue, handle.run, "escalated"))
    (shown,) = await segue.reviews()
    assert shown.by == ("dan",)
    await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="dan", output="dear all")
    assert await soon(handle.result()) == "dear all"


@pytest.mark.parametrize("decides", ["a person", "the terms"])
async def test_who_is_asked_in_the_middle_of_a_task_has_its_own_review(
    open_segue: Open, decides: str
) -> None:
    """A delegated task waits for a person, or the end of their time, and then its answer reaches who asked, once."""
    ran: Counter[str] = Counter()

    @agent(review=Review(by="cay", expires="1h", then="approve"))
    async def careful(to: str) -> str:
        ran["careful"] += 1
        return f"dear {to}"

    @agent
    async def draft(to: str) -> str:
        ran["draft"] += 1
        return f"{await ctx.delegate(careful, to=to)}, no"

    @workflow
    def answer(to: str) -> str:
        return draft(to)

    clock = ManualClock()
    segue = await open_segue(clock=clock, agents=[careful])
    handle = await segue.submit(answer, "bob")
    async for _ in segue.events(handle.run, names=["task.needs_review"]):
        break
    (shown,) = await segue.reviews(handle.run)
    assert (shown.task, shown.agent, shown.by) == ("draft/careful.1", "careful", ("cay",))
    if decides == "a person":
        await decide(segue, handle.run, shown.task, approve=True, by="cay")
    else:
        clock.jump(HOUR)
        clock.advance(4.0)
    await soon(segue.wait(handle.run, "draft"))
    assert await soon(handle.result()) == "dear bob, no"
    assert ran == {"draft": 1, "careful": 1}


async def test_artifacts_of_what_is_approved_stay_with_it(segue: Segue) -> None:
    """What the agent pointed to is pointed to by what the person hands over instead."""

    @agent(review=Review(by="ann"))
    async def draft(to: str) -> Handoff[str]:
        page = await Artifact.write(b"the page", media_type="text/plain")
        return Handoff(to, artifacts=[page])

    @agent
    async def read(draft: Handoff[str]) -> str:
        return f"{draft.output}: {(await draft.artifacts[0].read()).decode()}"

    @workflow
    def answer(to: str) -> str:
        return read(draft(to))

    handle = await ask(segue, answer)
    (shown,) = await segue.reviews()
    await segue.review(handle.run, "draft", digest=shown.digest, approve=True, by="ann", output="cay")
    assert await soon(handle.result()) == "cay: the page"


def play(folder: Path, phase: str, point: str = "", name: str = "letter") -> subprocess.CompletedProcess[str]:
    """Let a process play a phase of the story, which may end with `kill -9`."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(folder / "segue.db"), phase, point, name],
        env={**os.environ, "REVIEW_LOG": str(folder / "log")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize(
    ("name", "phase", "drafts"), [("letter", "decide", "draft"), ("hasty", "sweep", "hasty")]
)
def test_nothing_runs_again_after_a_kill(
    tmp_path: Path, name: str, phase: str, drafts: str, point: str
) -> None:
    """
    One process dies when its run waits for a person, the next on either side of the decision, by a person or by the
    terms of the review; a third goes on. Each agent ran once, and the decision counts once.
    """
    assert play(tmp_path, "ask", name=name).returncode == -signal.SIGKILL
    killed = play(tmp_path, phase, point, name)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if point == "before" and phase == "decide":
        assert play(tmp_path, phase, name=name).returncode == 0
    finished = play(tmp_path, "finish", name=name)
    assert (finished.returncode, finished.stdout) == (0, "sent DEAR ALL\n"), finished.stderr
    assert Counter((tmp_path / "log").read_text().split()) == {drafts: 1, "send": 1}
