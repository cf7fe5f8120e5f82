"""The suite sees what it is there to see: the model with a planted fault fails the test that names it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from segue.domain.rows import StoredHandoff
from segue.errors import CursorExpired
from segue.stores import wording
from segue.stores.memory import MemoryStore
from segue.stores.memory.rows import Log, Run, Task
from segue.stores.memory.state import State
from segue.stores.memory.store import MemoryStore as Model
from tests.conformance.planting import Patch, fault, outcome


def events_come_later(original: Any) -> Any:
    def tell(self: State, *args: Any) -> None:
        asyncio.get_running_loop().call_soon(original, self, *args)

    return tell


def expire_everything(original: Any) -> Any:
    async def expire(self: Model, *args: Any, **options: Any) -> Any:
        for run in self._state.runs.values():
            for task in run.tasks.values():
                task.lease = 0.0
        return await original(self, *args, **options)

    return expire


def renew_what_is_ready(original: Any) -> Any:
    async def renew(self: Model, tokens: Any, lease_seconds: float) -> Any:
        for token in tokens:
            task = self._state.find(token)
            if task is not None and task.state == "ready" and task.claim == token.claim:
                self._state.set_state(task, "claimed")
        return await original(self, tokens, lease_seconds)

    return renew


def overwrite_versions(original: Any) -> Any:
    def keep(self: Run, task: Task, epoch: int, handoff: Any) -> None:
        original(self, task, epoch, handoff)
        del self.handoffs[task.node, task.item][:-1]

    return keep


def serve_the_oldest(original: Any) -> Any:
    async def latest(self: Model, run: str, nodes: Any = ()) -> list[StoredHandoff]:
        return [versions[0] for versions in self._state.runs[run].handoffs.values()]

    return latest


def leave_a_gap(original: Any) -> Any:
    def append(self: Log, run: Run, *args: Any) -> None:
        run.sequence += run.sequence % 3 == 2
        original(self, run, *args)

    return append


def forget_what_was_accepted(original: Any) -> Any:
    def settle(self: Model, settlement: Any, *args: Any) -> Any:
        self._state.runs[settlement.token.run].accepted.clear()
        return original(self, settlement, *args)

    return settle


def ignore_keys(original: Any) -> Any:
    def submit(self: Model, new: Any, *args: Any) -> Any:
        self._state.keys.clear()
        return original(self, new, *args)

    return submit


def keep_what_was_claimed(original: Any) -> Any:
    def grant(self: State, run: Run, task: Task, *args: Any) -> Any:
        claim = original(self, run, task, *args)
        self.ready.add((task.run, task.node, task.item))
        return claim

    return grant


def lower_the_epoch(original: Any) -> Any:
    def ready(self: State, task: Task, delay_seconds: float) -> None:
        original(self, task, delay_seconds)
        task.epoch = max(0, task.epoch - 1)

    return ready


def release_early(original: Any) -> Any:
    def release(self: State, run: Run, release: Any, *args: Any) -> Any:
        return original(self, run, release._replace(need=min(release.need, 1)), *args)

    return release


def start_again(original: Any) -> Any:
    def start(self: Log, after: str) -> int:
        try:
            return int(original(self, after))
        except CursorExpired:
            return 0

    return start


def decide_twice(original: Any) -> Any:
    async def review(self: Model, review: Any) -> Any:
        task = self._state.runs[review.run].tasks[review.node, review.item]
        task.state, task.version = "needs_review", review.version
        self._state.runs[review.run].handoffs[review.node, review.item] = []
        return await original(self, review)

    return review


def decide_at_any_time(original: Any) -> Any:
    async def review(self: Model, decision: Any) -> Any:
        task = self._state.runs[decision.run].tasks.get((decision.node, decision.item))
        until = None if task is None else task.review_by
        if task is not None:
            task.review_by = self._state.clock.wall() + (-1.0 if decision.by_policy else 1.0)
        answer = await original(self, decision)
        if task is not None and answer != "accepted":
            task.review_by = until
        return answer

    return review


def pass_on_in_the_same_round(original: Any) -> Any:
    async def review(self: Model, decision: Any) -> Any:
        answer = await original(self, decision)
        if decision.word == "escalated":
            self._state.runs[decision.run].tasks[decision.node, decision.item].escalations = 0
        return answer

    return review


def cancel_only_the_run(original: Any) -> Any:
    def cancel(self: Model, run: Run, control: Any) -> bool:
        tasks, run.tasks = run.tasks, {}
        answer = bool(original(self, run, control))
        run.tasks = tasks
        return answer

    return cancel


def answers_without(field: str) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def answers(self: Task, token: Any) -> bool:
            return bool(original(self, token._replace(**{field: getattr(self, field)})))

        return answers

    return make


def count_losses_at_once(original: Any) -> Any:
    async def expire(self: Model, *args: Any, **options: Any) -> Any:
        expired = await original(self, *args, **options)
        for each in expired:
            self._state.runs[each.run].tasks[each.node, each.item].losses += 1
        return expired

    return expire


def hand_back_without_revoking(original: Any) -> Any:
    def give_back(self: Model, task: Task, *args: Any) -> None:
        claim = task.claim
        original(self, task, *args)
        task.claim = claim

    return give_back


def take_only_what_is_late(original: Any) -> Any:
    async def expire(self: Model, dead_workers: Any = (), past_lease: bool = True) -> Any:
        return await original(self, dead_workers)

    return expire


def spare_nobody(original: Any) -> Any:
    def release(self: State, run: Run, release: Any, *args: Any) -> Any:
        return original(self, run, release._replace(spare=None), *args)

    return release


def count_the_missing(original: Any) -> Any:
    def count(self: State, task: Task, release: Any) -> bool:
        return bool(original(self, task, release._replace(resolved=1)))

    return count


def decide_on_what_is_there(original: Any) -> Any:
    def may_redrive(self: Model, run: Run, redrive: Any) -> bool:
        progress = sum(task.epoch + task.version for task in run.tasks.values())
        return bool(original(self, run, redrive._replace(progress=progress)))

    return may_redrive


def redrive_what_can_be(original: Any) -> Any:
    def may_redrive(self: Model, run: Run, redrive: Any) -> bool:
        return any(original(self, run, redrive._replace(resets=(reset,))) for reset in redrive.resets)

    return may_redrive


def let_go_when_late(original: Any) -> Any:
    async def expire(self: Model, *args: Any, **options: Any) -> Any:
        wall = self._state.clock.wall()
        for task in self._state.paused_tasks():
            if task.deadline is not None and task.deadline <= wall:
                self._state.set_state(task, "ready")
        return await original(self, *args, **options)

    return expire


def trust_the_owner(original: Any) -> Any:
    def settle(self: Model, settlement: Any, worker: str, lease_seconds: float) -> Any:
        task = self._state.find(settlement.token)
        if task is not None and task.claim is not None and task.worker == worker:
            token = settlement.token._replace(epoch=task.epoch, claim=task.claim)
            settlement = settlement._replace(token=token)
        return original(self, settlement, worker, lease_seconds)

    return settle


MODEL_FAULTS: dict[str, tuple[Patch, list[str]]] = {
    "no epoch check": (
        fault(Task, "answers", answers_without("epoch")),
        ["test_epoch_and_claim_are_both_compared"],
    ),
    "no claim check": (
        fault(Task, "answers", answers_without("claim")),
        ["test_epoch_and_claim_are_both_compared"],
    ),
    "owner only": (
        fault(Model, "_settle", trust_the_owner),
        ["test_epoch_and_claim_are_both_compared"],
    ),
    "event outside the transaction": (
        fault(State, "tell_task", events_come_later),
        ["test_a_settlement_writes_state_handoff_and_event", "test_a_run_tells_its_story_in_order"],
    ),
    "version overwritten": (
        fault(Run, "keep", overwrite_versions),
        ["test_an_approval_is_the_next_version_and_releases"],
    ),
    "an older version served": (
        fault(MemoryStore, "latest_handoffs", serve_the_oldest),
        ["test_an_approval_is_the_next_version_and_releases"],
    ),
    "sequence with a gap": (fault(Log, "append", leave_a_gap), ["test_sequences_have_no_gap"]),
    "blind expire": (
        fault(Model, "expire", expire_everything),
        ["test_a_claim_is_kept_until_its_lease_is_over", "test_renewing_lengthens_a_lease_from_now"],
    ),
    "losses counted when the claim runs out": (
        fault(Model, "expire", count_losses_at_once),
        ["test_a_lost_claim_is_counted_by_the_next", "test_a_claim_that_settles_late_was_not_lost"],
    ),
    "a return that keeps its claim": (
        fault(Model, "_return", hand_back_without_revoking),
        ["test_what_was_given_back_or_failed_is_no_loss"],
    ),
    "leases that are not spared": (
        fault(Model, "expire", take_only_what_is_late),
        ["test_leases_can_be_spared"],
    ),
    "a redrive of what has changed since": (
        fault(Model, "_may_redrive", decide_on_what_is_there),
        ["test_a_redrive_is_written_whole_or_not_at_all"],
    ),
    "half a redrive": (
        fault(Model, "_may_redrive", redrive_what_can_be),
        ["test_a_redrive_is_written_whole_or_not_at_all"],
    ),
    "spare parents ignored": (
        fault(State, "release", spare_nobody),
        ["test_a_quorum_does_without_as_many_as_it_can_spare"],
    ),
    "a missing parent counts for a quorum": (
        fault(State, "_count", count_the_missing),
        [
            "test_a_quorum_does_without_as_many_as_it_can_spare",
            "test_each_element_of_a_list_counts_for_a_quorum",
        ],
    ),
    "an overrun that is not told": (
        fault(State, "overrun", lambda original: lambda self, task: None),
        [
            "test_a_task_that_nobody_claims_in_time_goes_to_anybody",
            "test_the_deadline_comes_before_the_queue",
        ],
    ),
    "a deadline that claimed tasks do not have": (
        fault(State, "runs_late", lambda original: lambda self, task: False),
        ["test_a_claim_is_revoked_at_the_deadline"],
    ),
    "a paused task whose deadline waits": (
        fault(State, "paused_tasks", lambda original: lambda self: []),
        ["test_the_deadline_of_a_paused_task_stands"],
    ),
    "ready past its deadline although it was paused": (
        fault(Model, "expire", let_go_when_late),
        ["test_a_paused_task_is_settled_only_while_it_is_too_late"],
    ),
    "renew revives": (fault(Model, "renew", renew_what_is_ready), ["test_renewing_does_not_revive"]),
    "key not idempotent": (fault(Model, "_submit", ignore_keys), ["test_a_key_names_one_run"]),
    "repetition not recognised": (
        fault(Model, "_settle", forget_what_was_accepted),
        ["test_repeating_an_accepted_settlement_is_safe", "test_a_token_twice_in_one_batch_counts_once"],
    ),
    "a task claimed twice": (
        fault(State, "grant", keep_what_was_claimed),
        ["test_many_callers_at_once_claim_each_task_once"],
    ),
    "an epoch lowered": (fault(State, "make_ready", lower_the_epoch), ["test_epochs_never_go_back"]),
    "a join released early": (
        fault(State, "release", release_early),
        ["test_a_join_waits_for_all_its_parents"],
    ),
    "an unknown cursor starts again": (
        fault(Log, "_start", start_again),
        ["test_a_foreign_cursor_is_refused"],
    ),
    "a review without a time": (fault(Model, "review", decide_at_any_time), ["test_a_review_has_its_time"]),
    "passed on to the same": (
        fault(Model, "review", pass_on_in_the_same_round),
        ["test_a_review_is_passed_on"],
    ),
    "two decisions": (fault(Model, "review", decide_twice), ["test_of_two_decisions_one_counts"]),
    "cancel leaves claims": (
        fault(Model, "_cancel", cancel_only_the_run),
        ["test_a_cancelled_attempt_can_write_nothing"],
    ),
    "commits that tell nobody": (
        lambda patch: patch.setattr("segue.stores.waking.LocalNotifier.notify", lambda self: None),
        ["test_commits_are_counted"],
    ),
    "speculation not recorded": (
        lambda patch: patch.setattr(wording, "settlement_data", lambda settlement: settlement.data),
        ["test_speculation_is_on_record"],
    ),
}


@pytest.mark.parametrize("name", MODEL_FAULTS)
async def test_a_fault_of_the_model_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test that is named for a fault passes on the model, and fails once the fault is planted."""
    plant, tests = MODEL_FAULTS[name]
    assert [await outcome(test, MemoryStore) for test in tests] == [None] * len(tests)
    plant(monkeypatch)
    assert [test for test in tests if await outcome(test, MemoryStore) is None] == []
