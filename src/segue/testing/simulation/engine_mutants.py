"""Engines without one of their rules, and a domain without one of its decisions."""

from __future__ import annotations

from typing import Any

from segue.domain.records import Settled
from segue.domain.running import outcome
from segue.engine.abilities import effects
from segue.engine.abilities.later import LaterDesk
from segue.engine.abilities.pausing import Pause
from segue.engine.engine import Engine
from segue.engine.flow import claimer
from segue.engine.flow.claimer import Claimer
from segue.engine.flow.leaving import Leaving
from segue.engine.flow.slots import Slots
from segue.engine.watch.renewer import Renewer
from segue.engine.watch.sweeper import Sweeper
from segue.engine.watch.untangler import Untangler
from segue.errors import StoreUnavailable
from segue.stores.memory import remembering
from segue.stores.memory.rows import Task
from segue.testing.simulation.planting import without
from segue.testing.simulation.process import SimulatedLiveness
from segue.testing.simulation.weather import Weather
from segue.testing.simulation.wire import SimulatedStore

FOR_EVER = 1e9


@without(
    "no net",
    "A wake-up may get lost: a slow look at the store is the net below.",
    (claimer, "NET_SECONDS"),
    season="still",
)
@without("checked before it listens", "", (claimer, "NET_SECONDS"), season="still")
def _never_by_itself(_: Any) -> Any:
    return FOR_EVER


@without("no net", "", (Claimer, "_seconds_until_due"))
@without("checked before it listens", "", (Claimer, "_seconds_until_due"))
def _nothing_falls_due(_: Any) -> Any:
    async def seconds_until_due(self: Any) -> float:
        return FOR_EVER

    return seconds_until_due


@without(
    "checked before it listens",
    "Who waits counts first and looks then, so that nothing in between is missed.",
    (Claimer, "_watch"),
)
def _looks_first(_: Any) -> Any:
    async def watch(self: Any) -> None:
        while True:
            self.maybe_ready = True
            await self._claim()
            for _ in range(6):
                await self._store.cursor()
            await self._store.notifier.wait_foreign(self._store.notifier.foreign, FOR_EVER)

    return watch


@without("checked before it listens", "", (Weather, "wake_up"))
def _no_wake_up_is_lost(_: Any) -> Any:
    return lambda self, now: ("wake-up", (self.latency(),))


@without(
    "nobody sweeps",
    "What dead workers hold is taken back by the others.",
    (Sweeper, "sweep"),
    season="crashes",
)
def _leaves_the_dead_alone(_: Any) -> Any:
    async def sweep(self: Any) -> None:
        """Nothing."""

    return sweep


@without("silent is dead", "Only who is proven dead is taken for dead.", (SimulatedLiveness, "dead"))
def _buries_everybody(_: Any) -> Any:
    return lambda self, workers: set(workers)


@without("nobody renews", "A lease is renewed for as long as its attempt runs.", (Renewer, "renew"))
def _lets_leases_run_out(_: Any) -> Any:
    async def renew(self: Any) -> None:
        """Nothing."""

    return renew


@without("superseded goes on", "An agent whose claim is lost is cancelled.", (Engine, "_lost"))
def _does_not_care(_: Any) -> Any:
    return lambda self, attempt: None


@without("claim started twice", "A claim is run once.", (Engine, "_start"))
def _starts_again(original: Any) -> Any:
    def start(self: Any, claim: Any, *args: Any) -> None:
        original(self, claim, *args)
        original(self, claim, *args)

    return start


@without(
    "claim asked for anew",
    "A claim whose answer got lost is asked for again as it was, and finds what it was given.",
    (SimulatedStore, "_ask"),
    season="answers",
)
def _with_another_id(original: Any) -> Any:
    async def ask(self: Any, verb: str, *args: Any, **kwargs: Any) -> Any:
        if verb == "claim":
            self.asked = vars(self).get("asked", 0) + 1
            args = (args[0]._replace(claim=f"{args[0].claim}/{self.asked}"), *args[1:])
        return await original(self, verb, *args, **kwargs)

    return ask


@without(
    "error taken for not written",
    "A commit that failed may have been written: it is repeated with its tokens.",
    (SimulatedStore, "_ask"),
    season="answers",
)
def _tries_the_agents_again(original: Any) -> Any:
    async def ask(self: Any, verb: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, verb, *args, **kwargs)
        except StoreUnavailable:
            if verb != "settle":
                raise
            empty = {"ending": "retry", "handoff": None, "releases": (), "run_resolved": 0}
            anew = [settlement._replace(**empty) for settlement in args[0]]
            return await original(self, verb, anew, *args[1:], **kwargs)

    return ask


@without(
    "error taken for written",
    "A commit that failed may not have been written: it is repeated until there is an answer.",
    (SimulatedStore, "_ask"),
    season="answers",
)
def _believes_it(original: Any) -> Any:
    async def ask(self: Any, verb: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, verb, *args, **kwargs)
        except StoreUnavailable:
            if verb != "settle":
                raise
            return [Settled("accepted", (), None) for _ in args[0]], ()

    return ask


@without("places without end", "A worker runs as many agents as it has places.", (Slots, "reserve"))
def _always_room(_: Any) -> Any:
    def reserve(self: Any, agent: str) -> bool:
        self.take(agent)
        return True

    return reserve


@without("place that is lost", "A place that was held for a task comes back.", (Engine, "_unreserve"))
def _keeps_the_place(_: Any) -> Any:
    return lambda self, reserved, claims: None


@without("place that comes twice", "A place comes back once.", (Slots, "release"))
def _gives_two(original: Any) -> Any:
    def release(self: Any, agent: str) -> None:
        original(self, agent)
        self._taken -= agent == "patient"

    return release


@without("nothing handed back", "A worker that ends hands back what it has not done.", (Leaving, "hand_back"))
def _just_goes(_: Any) -> Any:
    async def hand_back(self: Any) -> None:
        await self._take_nothing()

    return hand_back


@without("later not pinned", "What an agent awaits is pinned like what it began with.", (LaterDesk, "_note"))
def _awaits_in_secret(_: Any) -> Any:
    async def note(self: Any, attempt: Any, pin: Any) -> None:
        """Say nothing."""

    return note


@without("tries without end", "An agent is tried as often as its policy says.", (outcome, "answer_to"))
def _never_gives_up(original: Any) -> Any:
    def answer_to(failed: Any, claim: Any, terms: Any, jitter: float) -> Any:
        return original(failed, claim._replace(failures=0), terms, jitter)

    return answer_to


@without("doubt ignored", "", (remembering, "_may_follow"), season="crashes")
def _anything_follows(_: Any) -> Any:
    return lambda written, step: True


@without(
    "doubt ignored",
    "What may have happened is not done again before somebody knows.",
    (effects, "standing_of"),
    season="crashes",
)
def _does_it_again(original: Any) -> Any:
    def standing_of(known: Any) -> Any:
        standing = original(known)
        return "new" if standing == "in_doubt" else standing

    return standing_of


@without("failure is not passed on", "Who needs what failed is not run.", (Task, "granted"))
def _as_if_nothing_were_broken(original: Any) -> Any:
    return lambda self: original(self)._replace(broken=False)


@without(
    "nobody untangles",
    "Tasks that wait for one another in vain are found and let go on.",
    (Untangler, "look"),
    season="answers",
)
def _leaves_them_stuck(_: Any) -> Any:
    async def look(self: Any) -> None:
        """Nothing."""

    return look


@without(
    "place before pool", "A task that goes on takes its pools first and its place second.", (Pause, "end")
)
def _takes_its_place_first(original: Any) -> Any:
    async def end(self: Any, nodes: Any) -> None:
        await self._slots.wait(self._attempt.claim.agent)
        try:
            await original(self, nodes)
        finally:
            self._slots.release(self._attempt.claim.agent)

    return end
