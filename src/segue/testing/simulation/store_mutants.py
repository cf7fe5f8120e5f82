"""Stores without one of their rules. Several of them are the rules of well-known queues, or of their older versions."""

from __future__ import annotations

from typing import Any

from segue.domain.records import Settled
from segue.stores.memory.claiming import claim_ready
from segue.stores.memory.rows import Log, Run, Task
from segue.stores.memory.state import State
from segue.stores.memory.store import MemoryStore
from segue.testing.simulation.planting import without
from segue.testing.simulation.world import StoreClock


@without(
    "no fence", "A write is accepted only from the present epoch and claim of the task.", (Task, "answers")
)
def _anybody(_: Any) -> Any:
    return lambda self, token: True


@without("status only", "That a task is claimed does not say by whom.", (Task, "answers"))
def _if_claimed(_: Any) -> Any:
    return lambda self, token: self.state == "claimed"


@without(
    "late results refused",
    "A result that is late but superseded by nobody is accepted: else an outage runs everything again.",
    (Task, "answers"),
)
def _only_in_time(original: Any) -> Any:
    return lambda self, token: original(self, token) and self.state == "claimed"


@without(
    "completion not idempotent",
    "Repeating a write with its token says that it was written.",
    (MemoryStore, "_settle"),
    season="answers",
)
def _forgets_what_was_accepted(original: Any) -> Any:
    def settle(self: Any, settlement: Any, *args: Any) -> Any:
        self._state.runs[settlement.token.run].accepted.pop(settlement.token, None)
        return original(self, settlement, *args)

    return settle


@without(
    "acknowledged before it is written",
    "What was acknowledged is stored.",
    (Run, "keep"),
    season="answers",
)
def _keeps_every_other(original: Any) -> Any:
    def keep(self: Any, task: Any, epoch: int, handoff: Any) -> None:
        original(self, task, epoch, handoff)
        if len(self.handoffs) % 3 == 0:
            self.handoffs[task.node, task.item].pop()

    return keep


@without("overwritten version", "A hand-off is never overwritten.", (Run, "keep"))
def _keeps_the_last(original: Any) -> Any:
    def keep(self: Any, task: Any, epoch: int, handoff: Any) -> None:
        original(self, task, epoch, handoff)
        del self.handoffs[task.node, task.item][:-1]

    return keep


@without("epoch goes back", "Only a grant changes an epoch, and it raises it.", (State, "make_ready"))
def _starts_counting_again(original: Any) -> Any:
    def make_ready(self: Any, task: Any, delay_seconds: float) -> None:
        original(self, task, delay_seconds)
        task.epoch = max(0, task.epoch - 1)

    return make_ready


@without("state without event", "A state and its event are written together.", (State, "tell_task"))
def _keeps_retries_quiet(original: Any) -> Any:
    def tell_task(self: Any, run: Any, task: Any, what: str, data: str | None = None) -> None:
        if what not in ("retry", "expired"):
            original(self, run, task, what, data)

    return tell_task


@without(
    "event without state", "An event is written with its state, and not before.", (MemoryStore, "expire")
)
def _announces_first(original: Any) -> Any:
    async def expire(self: Any, dead_workers: Any = (), past_lease: bool = True) -> Any:
        now = self._clock.boot()
        late = [
            each
            for run in self._state.runs.values()
            for each in run.tasks.values()
            if each.state == "claimed"
        ]
        late = [each for each in late if each.lease <= now or each.worker in dead_workers]
        for task in late:
            if not getattr(self, "announced", None):
                self._state.tell_task(self._state.runs[task.run], task, "expired")
        self.announced = not getattr(self, "announced", None) and bool(late)
        return [] if self.announced else await original(self, dead_workers, past_lease)

    return expire


@without("gap in the sequence", "The events of a run are numbered without a gap.", (Log, "append"))
def _leaves_a_gap(original: Any) -> Any:
    def append(self: Any, run: Any, name: str, *args: Any) -> None:
        run.sequence += name.endswith(".retry")
        original(self, run, name, *args)

    return append


@without("blind expire", "Who takes a claim back checks its state in the write.", (MemoryStore, "expire"))
def _writes_what_it_has_read(original: Any) -> Any:
    async def expire(self: Any, dead_workers: Any = (), past_lease: bool = True) -> Any:
        for task in getattr(self, "found", ()):
            task.state = "claimed"  # as it was when it was read
        now = self._clock.boot()
        tasks = [task for run in self._state.runs.values() for task in run.tasks.values()]
        self.found = [task for task in tasks if task.state == "claimed" and task.lease <= now + 0.5]
        return await original(self, dead_workers, past_lease)

    return expire


@without(
    "silence taken for an end",
    "A claim lasts as long as its lease.",
    (MemoryStore, "expire"),
)
def _expires_half_leases(original: Any) -> Any:
    async def expire(self: Any, dead_workers: Any = (), past_lease: bool = True) -> Any:
        for run in self._state.runs.values():
            for task in run.tasks.values():
                task.lease -= 0.3
        return await original(self, dead_workers, past_lease)

    return expire


@without("leases by the wall clock", "Leases are counted by a clock that never jumps.", (StoreClock, "boot"))
def _by_the_wall(_: Any) -> Any:
    return lambda self: self.wall()


@without("heartbeat revives", "A late heartbeat revives nothing.", (MemoryStore, "renew"))
def _claims_again(original: Any) -> Any:
    async def renew(self: Any, tokens: Any, lease_seconds: float) -> Any:
        for token in tokens:
            task = self._state.find(token)
            if task is not None and task.state == "ready" and task.claim == token.claim:
                self._state.set_state(task, "claimed")
        return await original(self, tokens, lease_seconds)

    return renew


@without("renewed without epoch", "A lease is renewed by whoever has the claim.", (MemoryStore, "renew"))
def _renews_for_anybody(_: Any) -> Any:
    async def renew(self: Any, tokens: Any, lease_seconds: float) -> Any:
        tasks = [self._state.find(token) for token in tokens]
        return [task is not None and task.state in ("claimed", "ready") for task in tasks]

    return renew


@without(
    "counted again",
    "A repeated settlement releases nothing again.",
    (MemoryStore, "_settle"),
    season="answers",
)
def _releases_again(original: Any) -> Any:
    def settle(self: Any, settlement: Any, worker: str, lease_seconds: float) -> Any:
        answer = original(self, settlement, worker, lease_seconds)
        if answer.verdict == "repeated":
            run = self._state.runs[settlement.token.run]
            self._state.release_all(run, settlement.releases, worker, lease_seconds)
        return answer

    return settle


@without(
    "end counted again",
    "A repeated settlement brings the run no nearer to its end.",
    (MemoryStore, "_settle"),
    season="answers",
)
def _ends_early(original: Any) -> Any:
    def settle(self: Any, settlement: Any, *args: Any) -> Any:
        answer = original(self, settlement, *args)
        if answer.verdict == "repeated":
            run = self._state.runs[settlement.token.run]
            run.waits_for = max(1, run.waits_for - settlement.run_resolved)
        return answer

    return settle


@without("join started early", "A task is ready when all that it waits for is there.", (State, "release"))
def _takes_the_first(original: Any) -> Any:
    def release(self: Any, run: Any, release: Any, *args: Any) -> Any:
        return original(self, run, release._replace(need=min(release.need, 1)), *args)

    return release


@without("granted twice", "A task that is claimed is given to nobody else.", (State, "grant"))
def _stays_ready(original: Any) -> Any:
    def grant(self: Any, run: Any, task: Any, *args: Any) -> Any:
        claim = original(self, run, task, *args)
        self.ready.add((task.run, task.node, task.item))
        return claim

    return grant


@without(
    "no delay", "A failed attempt is tried again after its delay, and not before.", (State, "make_ready")
)
def _at_once(original: Any) -> Any:
    return lambda self, task, delay_seconds: original(self, task, 0.0)


@without("handed back is an attempt", "What is handed back is no attempt.", (MemoryStore, "_return"))
def _counts_it(original: Any) -> Any:
    def give_back(self: Any, task: Any, ending: str, settlement: Any) -> None:
        original(self, task, ending, settlement)
        task.attempt += ending == "handed_back"

    return give_back


@without("cancel does not revoke", "Who cancels a run takes its claims away.", (MemoryStore, "_cancel"))
def _leaves_what_runs(original: Any) -> Any:
    def cancel(self: Any, run: Any, control: Any) -> bool:
        kept = {key: task for key, task in run.tasks.items() if task.state == "claimed"}
        run.tasks = {key: task for key, task in run.tasks.items() if key not in kept}
        answer = bool(original(self, run, control))
        run.tasks |= kept
        return answer

    return cancel


@without(
    "losses not counted", "A task that kills its workers is given up.", (State, "grant"), season="crashes"
)
def _forgets_losses(original: Any) -> Any:
    def grant(self: Any, run: Any, task: Any, *args: Any) -> Any:
        task.losses = -1
        return original(self, run, task, *args)

    return grant


@without("tried again twice", "A run is tried again once for each decision.", (MemoryStore, "_may_redrive"))
def _takes_any_redrive(_: Any) -> Any:
    return lambda self, run, redrive: True


@without("steps forgotten", "A finished step is remembered.", (MemoryStore, "read_steps"))
def _remembers_nothing(_: Any) -> Any:
    async def read_steps(self: Any, run: str, node: str, item: int) -> Any:
        return []

    return read_steps


@without(
    "overrun keeps its claim",
    "Past its deadline a task is taken back for good.",
    (MemoryStore, "expire"),
    season="crashes",
)
def _leaves_the_claim(original: Any) -> Any:
    async def expire(self: Any, *args: Any, **kwargs: Any) -> Any:
        tasks = [task for run in self._state.runs.values() for task in run.tasks.values()]
        claims = [(task, task.claim) for task in tasks if task.state == "claimed"]
        expired = await original(self, *args, **kwargs)
        for task, claim in claims:
            task.claim = claim
        return expired

    return expire


@without("two decisions", "Of two people who decide the first counts.", (MemoryStore, "review"))
def _takes_the_last_word(original: Any) -> Any:
    async def review(self: Any, decision: Any) -> Any:
        run = self._state.runs[decision.run]
        task = run.tasks[decision.node, decision.item]
        was_decided = task.state in ("complete", "failed") and task.version == decision.version + 1
        if was_decided and decision.handoff is not None:
            task.state, task.version = "needs_review", decision.version
            run.handoffs[decision.node, decision.item].pop()
        return await original(self, decision)

    return review


@without("keys ignored", "Under one key there is one run.", (MemoryStore, "_submit"))
def _forgets_keys(original: Any) -> Any:
    def submit(self: Any, new: Any, *args: Any) -> Any:
        self._state.keys.clear()
        return original(self, new, *args)

    return submit


@without("stale pins", "A claim pins the hand-offs that are there when it is granted.", (Run, "latest_pins"))
def _pins_the_first(original: Any) -> Any:
    def latest_pins(self: Any, nodes: Any) -> Any:
        pins = original(self, nodes)
        firsts = [self.handoffs[pin.node, pin.item][0].record for pin in pins]
        return tuple(
            pin._replace(version=first.version, digest=first.digest, status=first.status)
            for pin, first in zip(pins, firsts, strict=True)
        )

    return latest_pins


@without("cursor jumps", "A reader's cursor passes nothing that the reader was not given.", (Log, "tail"))
def _goes_to_the_end(original: Any) -> Any:
    def tail(self: Any, after: Any, limit: int, run: Any) -> Any:
        events, _ = original(self, after, limit, run)
        return events, self.cursor()

    return tail


@without(
    "repeated claim takes more",
    "A claim that is asked for again finds what it was given.",
    (MemoryStore, "_claim"),
    season="answers",
)
def _takes_more(_: Any) -> Any:
    return lambda self, request: claim_ready(self._state, request)


@without("stale accepted silently", "A superseded worker is told so.", (MemoryStore, "_settle"))
def _says_yes(original: Any) -> Any:
    def settle(self: Any, settlement: Any, *args: Any) -> Any:
        answer = original(self, settlement, *args)
        return Settled("accepted", (), None) if answer.verdict == "stale" else answer

    return settle
