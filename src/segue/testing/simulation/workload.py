"""
What is run in a world: agents whose behaviour the world decides, and workflows drawn by number.

The shapes are chains, diamonds, fans, maps, conditions and `Later`s in any mixture. What an agent hands over names its
execution (`run/task#number`), so that whoever looks at a hand-off can tell who made it and from what.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random  # noqa: TID251 (with a seed)
from typing import TYPE_CHECKING, Any

from segue.app.submission import Pinned, input_documents, input_text, pin
from segue.domain.envelope.hand_to import HandTo
from segue.domain.envelope.handoff import Handoff, Later, Status
from segue.domain.graph.agent import Agent, agent
from segue.domain.graph.workflow import Built, condition, workflow
from segue.domain.records import NewRun
from segue.domain.settings.agent_settings import Quorum
from segue.domain.settings.options import RunOptions
from segue.domain.settings.pools import Pool
from segue.domain.settings.reviewing import Review
from segue.domain.settings.spending import Spending
from segue.engine.context import ctx
from segue.errors import SpendingExceeded
from segue.testing.simulation.acting import act
from segue.testing.simulation.versions import AGENTS_OF, Code, old_hearer, old_teller

if TYPE_CHECKING:
    from segue.testing.simulation.world import World

HOPS_ALLOWED = 1
"""How often a wandering task may be handed on."""

SHAPES = 400
"""Workflows to choose from: drawing and checking one costs as much as a small world, so they are kept."""

STATUSES: tuple[Status, ...] = ("needs_review", "needs_review", "needs_review", "complete", "failed")

STEP_KINDS = (
    *("work", "work", "work", "eager", "eager"),
    *("hasty", "single", "hurried", "tolerant", "unsure", "unsure", "map", "when"),
    *("checked", "vetted", "patient", "patient", "told"),
    *("buyer", "buyer", "replaced", "modest", "eager_join", "strict", "pressed"),
)


@agent(retries=2, backoff="100ms")
async def work(texts: list[str]) -> str:
    """The ordinary one: some inputs, one output."""
    return await act(texts)


@agent(retries=3, backoff=None, pool="desk")
async def hasty(texts: list[str]) -> str:
    """Tries again at once."""
    return await act(texts)


@agent(concurrency=1, retries=1, backoff="50ms")
async def single(texts: list[str]) -> str:
    """One at a time in each process."""
    return await act(texts)


@agent(speculative=True, retries=1, backoff="50ms")
async def eager(text: str) -> str:
    """May start on what is not committed yet."""
    return await act([text])


@agent(timeout="400ms", retries=2, backoff="50ms", pool="till")
async def hurried(texts: list[str]) -> str:
    """Has little time."""
    return await act(texts)


@agent(retries=1, backoff="50ms")
async def tolerant(texts: list[str | None]) -> str:
    """Goes on without what failed or was skipped."""
    return await act(texts)


@agent(retries=1, backoff="50ms", pools={"desk": Pool(1, keep=True), "till": 1})
async def patient(text: str, later: Later[str | None]) -> str:
    """Starts without one of its inputs and waits for it in the middle."""
    return await act([text], later)


@agent(retries=1, backoff="50ms")
async def split(texts: list[str]) -> list[str]:
    """Hands over a list, for a map."""
    text = await act(texts)
    return [f"{text}.{item}" for item in range(toss(text, 3) + len(texts) - 1)]


@agent(retries=1, backoff="50ms")
async def one(text: str, common: str) -> str:
    """One element of a mapped list."""
    return await act([text, common])


@agent(retries=1, backoff="50ms")
async def unsure(texts: list[str]) -> Handoff[str]:
    """Asks for a review now and then, or hands over a failure."""
    text = await act(texts)
    return Handoff(text, status=STATUSES[toss(text, len(STATUSES))])


@agent(retries=2, backoff="50ms", pools={"desk": 1, "till": 1})
async def buyer(texts: list[str]) -> str:
    """Asks a model and pays, outside."""
    return await act(texts, shops=True)


@agent(fallback=hasty)
async def replaced(texts: list[str]) -> str:
    """Has another agent for when it fails."""
    return await act(texts)


@agent(on_failure="proceed", retries=1, backoff="50ms")
async def modest(texts: list[str]) -> str:
    """Makes do with what there is."""
    return await act(texts)


@agent(on_failure=Quorum(1), retries=1, backoff="50ms")
async def eager_join(texts: list[str]) -> str:
    """Starts with the first of its inputs."""
    return await act(texts)


@agent(on_failure="fail")
async def strict(texts: list[str]) -> str:
    """Fails with its inputs."""
    return await act(texts)


@agent(queue="400ms", deadline="1500ms", idle="500ms", retries=2, backoff="50ms")
async def pressed(texts: list[str]) -> str:
    """Has little time in every way."""
    return await act(texts)


_THEN_CAY = Review(by="cay", expires="300ms", then="approve")


@agent(review=Review(by=("ann", "bob"), expires="400ms", then="escalate", escalate_to=_THEN_CAY), retries=1)
async def checked(texts: list[str]) -> str:
    """Has all that it hands over looked at, and somebody else look if nobody does."""
    return await act(texts)


@agent(review=Review(by="ann", expires="300ms"), retries=1, backoff="50ms")
async def vetted(texts: list[str]) -> Handoff[str]:
    """Asks for a review itself now and then, and has one in any case; without a word it is rejected."""
    text = await act(texts)
    return Handoff(text, status=STATUSES[toss(text, len(STATUSES))])


@agent(hops=HOPS_ALLOWED, laps=1, retries=1, backoff="50ms")
async def wanderer(texts: list[str]) -> str | HandTo:
    """Gives its task away now and then."""
    text = await act(texts)
    return text if toss(text, 5) == 0 else HandTo("taker", texts=[text])


@agent(retries=1, backoff="50ms")
async def taker(texts: list[str]) -> str | HandTo:
    """Goes on with what others have begun, and may give it back."""
    text = await act(texts)
    return text if toss(text, 2) == 0 else HandTo("wanderer", texts=[text])


@agent(retries=2, backoff="50ms")
async def asker(texts: list[str]) -> str:
    """Asks somebody in the middle of its work, and pays for a call."""
    return await act(texts, asks=lambda: _ask(texts[0]), pays=True)


async def _ask(text: str) -> str:
    """Ask with a share of the budget now and then, if there is something left for it."""
    if toss(text, 2):
        try:
            return str(await ctx.delegate("answerer", text=text, budget=Spending(calls=1)))
        except SpendingExceeded:
            pass
    return str(await ctx.delegate("answerer", text=text))


@agent(retries=1, backoff="50ms")
async def answerer(text: str) -> str:
    """Is asked, and pays for a call."""
    return await act([text], pays=True)


@condition
def lucky(text: str) -> bool:
    """Whether a task is to run."""
    return toss(text, 3) > 0


def toss(text: str, sides: int) -> int:
    """A number below `sides`, and always the same for the same text."""
    return zlib.crc32(text.encode()) % sides


AGENTS: dict[str, Agent[Any]] = {
    each.name: each
    for each in (
        *(work, hasty, single, eager, hurried, tolerant, patient, split, one, unsure),
        *(buyer, replaced, modest, eager_join, strict, pressed, checked, vetted, old_teller, old_hearer),
        *(wanderer, taker, asker, answerer),
    )
}
"""Every agent; runs are drawn with the old code of those of which there is a new one."""

NAMES_ANOTHER = {"wanderer": "taker", "asker": "answerer"}
"""Agents that name another in their code, which is then known where they are."""

CONDITIONS = {lucky.name: lucky}


def agents_of(code: Code, names: tuple[str, ...]) -> list[Agent[Any]]:
    """The agents of these names as a process with this code has them."""
    return [AGENTS_OF[code].get(name) or AGENTS[name] for name in names]


@lru_cache(SHAPES)
def shape(number: int) -> Pinned:
    """The workflow of this number, built and pinned."""
    return pin(_draw(number))


def _draw(number: int) -> Built:
    chance = Random(number)  # noqa: S311 (played again by its number)

    @workflow(name=f"shape_{number}")
    def drawn(text: str) -> list[str | None]:
        outputs: list[Any] = [text]
        maybe: list[Any] = []
        for _ in range(chance.randint(1, 6)):
            _add_step(chance, outputs, maybe)
        if number % 3 < 2:
            outputs.append((asker, wanderer)[number % 3](outputs[-2:]))
        return [*outputs[1:], *maybe]

    return drawn.build()


def _add_step(chance: Random, outputs: list[Any], maybe: list[Any]) -> None:
    """Add one call. What may be missing in the end goes to `maybe`, and is for the tolerant only."""
    some = [chance.choice(outputs[-3:]) for _ in range(chance.randint(1, 3))]
    some = list({id(each): each for each in some}.values())
    kind = chance.choice(STEP_KINDS)
    match kind:
        case "eager_join" | "modest" | "strict":
            made = [each for each in some if each is not outputs[0]] or [work(some)]
            outputs.append(AGENTS[kind](made))
        case "eager":
            outputs.append(eager(outputs[-1]))
        case "tolerant":
            outputs.append(tolerant([*some, *maybe[-2:]]))
        case "patient":
            outputs.append(patient(outputs[0], chance.choice(outputs[1:] or [work(some)])))
        case "map":
            items = one.map(text=split(some), common=outputs[0])
            if chance.random() < 0.5:
                outputs.append(work(items))
            else:
                outputs.append(tolerant(items))
        case "told":
            outputs.append(old_hearer(old_teller(some)))
        case "when":
            maybe.append(work.when(lucky(chance.choice(outputs)))(some))
        case _:
            outputs.append(AGENTS[kind](some))


@dataclass(slots=True)
class Order:
    """A run that somebody wants, under a key, asked for until it is there."""

    world: World
    key: str
    number: int
    tries: int = 0
    run: str | None = None
    pinned: Pinned = field(init=False)
    documents: dict[str, bytes] = field(init=False)
    options: RunOptions = field(init=False)

    def __post_init__(self) -> None:
        self.pinned = shape(self.number)
        caps = (("calls", self.number % 5),) if self.number % 3 == 0 else ()
        self.options = RunOptions(caps=caps)
        self.documents = input_documents(self.pinned.built, (self.key,), {})

    def new_run(self) -> NewRun:
        """One more try at it: a run of its own, under the same key."""
        self.tries += 1
        return NewRun(
            run=f"{self.key}.{self.tries}",
            key=self.key,
            workflow=self.pinned.built.graph.workflow,
            graph_digest=self.pinned.digest,
            graph=self.pinned.graph,
            schemas=self.pinned.schemas,
            input=input_text(self.documents),
            options=self.options.to_json(),
            waits_for=self.pinned.plan.waits_for,
            roots=(),
            needs=self.pinned.plan.needs,
            payloads=self.pinned.payloads,
            caps=self.options.caps,
        )
