"""The suite sees what it is there to see: a store with a planted fault fails the test that names it."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue.domain.records import StoredHandoff
from segue.errors import CursorExpired
from segue.ports.store import Store
from segue.stores import wording
from segue.stores.memory import MemoryStore
from segue.stores.memory.rows import Log, Run, Task
from segue.stores.memory.state import State
from segue.stores.memory.store import MemoryStore as Model
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.testing import ManualClock
from segue.testing.conformance import StoreConformance
from segue.testing.conformance.desk import Desk

Patch = Callable[[pytest.MonkeyPatch], None]


async def outcome(test: str, make: Callable[[ManualClock], Store]) -> BaseException | None:
    """What a test of the suite raises on a store; None if it passes."""
    clock = ManualClock()
    store = make(clock)
    await store.open()
    try:
        await getattr(StoreConformance(), test)(Desk(store, clock))
    except BaseException as error:  # noqa: BLE001 (a failed assertion is the answer)
        return error
    finally:
        await store.close()
    return None


# --- faults of the model ----------------------------------------------------------------------------


def fault(target: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    """Replace a method by what `make` builds from it."""
    return lambda patch: patch.setattr(target, name, make(getattr(target, name)))


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
        task.state, task.version = "needs_review", review.handoff.version - 1
        self._state.runs[review.run].handoffs[review.node, review.item] = []
        return await original(self, review)

    return review


def cancel_only_the_run(original: Any) -> Any:
    async def cancel(self: Model, run: str, reason: str) -> bool:
        found = self._state.runs[run]
        tasks, found.tasks = found.tasks, {}
        answer = bool(await original(self, run, reason))
        found.tasks = tasks
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


MODEL_FAULTS: dict[str, tuple[Patch, list[str]]] = {
    "no epoch check": (
        fault(Task, "answers", answers_without("epoch")),
        ["test_epoch_and_claim_are_both_compared"],
    ),
    "no claim check": (
        fault(Task, "answers", answers_without("claim")),
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
    "two decisions": (fault(Model, "review", decide_twice), ["test_of_two_decisions_one_counts"]),
    "cancel leaves claims": (
        fault(Model, "cancel", cancel_only_the_run),
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


# --- faults of the SQL ------------------------------------------------------------------------------

SQL_FAULTS: dict[str, tuple[dict[str, tuple[str, str]], list[str]]] = {
    "losses not counted": (
        {"grant_task": ("losses + (claim IS NOT NULL)", "losses")},
        ["test_a_lost_claim_is_counted_by_the_next", "test_a_repeated_request_hears_of_the_same_losses"],
    ),
    "losses counted when the claim runs out": (
        {
            "expire_task": ("lease = NULL", "losses = losses + 1, lease = NULL"),
            "grant_task": ("losses + (claim IS NOT NULL)", "losses"),
        },
        ["test_a_lost_claim_is_counted_by_the_next", "test_a_claim_that_settles_late_was_not_lost"],
    ),
    "a task handed back counts as lost": (
        {
            "return_task": (
                "losses = iif(?8 = 'reassigned', 0, losses)",
                "losses = losses + (?8 = 'handed_back')",
            )
        },
        ["test_what_was_given_back_or_failed_is_no_loss"],
    ),
    "failures not counted": (
        {"return_task": ("failures + 1", "failures")},
        ["test_what_was_given_back_or_failed_is_no_loss"],
    ),
    "a successor inherits failures and losses": (
        {
            "return_task": (
                "WHEN 'reassigned' THEN 0 ELSE failures END,\n    losses = iif(?8 = 'reassigned', 0, losses)",
                "ELSE failures END",
            )
        },
        ["test_a_reassigned_task_begins_anew_with_its_successor"],
    ),
    "a reassigned task stays with its agent": (
        {"return_task": ("agent = coalesce(?9, agent)", "agent = iif(?9 IS NULL, agent, agent)")},
        ["test_a_reassigned_task_begins_anew_with_its_successor"],
    ),
    "a dead task does not fail its run": (
        {"count_down_run": ("task.state = 'dead'", "task.state = ''")},
        ["test_a_dead_task_fails_its_run"],
    ),
    "a tolerated failure fails the run": (
        {"count_down_run": ("task.tolerated = 0", "1")},
        ["test_a_tolerated_failure_does_not_fail_the_run"],
    ),
    "a failure tolerated that was not": (
        {"settle_task": ("tolerated = ?11", "tolerated = ?11 OR 1")},
        ["test_a_tolerated_failure_does_not_fail_the_run", "test_a_failed_task_makes_a_failed_run"],
    ),
    "a task in doubt keeps its claim": (
        {"settle_task": ("iif(?6 = 'in_doubt', NULL, claim)", "claim")},
        ["test_a_task_in_doubt_waits_for_a_person"],
    ),
    "a task in doubt does not stop its run": (
        {"block_run": ("task.state = 'in_doubt'", "task.state = ''")},
        ["test_a_task_in_doubt_waits_for_a_person", "test_a_task_in_doubt_stops_nobody_else"],
    ),
    "a task in doubt outlives its run": (
        {"cancel_tasks": (", 'in_doubt'", "")},
        ["test_a_task_in_doubt_stops_nobody_else"],
    ),
    "two suspects at once": (
        {"find_ready": ("\n  AND losses + (claim IS NOT NULL) < 2", "")},
        ["test_suspects_are_given_out_one_by_one", "test_suspects_are_in_nobodys_way"],
    ),
    "suspects given to nobody": (
        {"look": ("losses + (claim IS NOT NULL) >= 2", "0")},
        ["test_suspects_are_given_out_one_by_one"],
    ),
    "an overrun of the queue given to nobody": (
        {"find_unclaimed": ("queue_by <= ?", "queue_by <= ? - 1e9")},
        ["test_a_task_that_nobody_claims_in_time_goes_to_anybody"],
    ),
    "an overrun of the queue given only to its own agents": (
        {
            "find_unclaimed": ("queue_by <= ?", "queue_by <= ? - 1e9"),
            "find_ready": ("(queue_by <= ?2) IS NOT TRUE", "1"),
        },
        ["test_a_task_that_nobody_claims_in_time_goes_to_anybody"],
    ),
    "a queue budget that counts once": (
        {"return_task": ("queue_by = ?6 + queue_seconds", "queue_by = queue_by")},
        ["test_the_queue_budget_counts_anew_each_time"],
    ),
    "a queue budget that goes on during the attempt": (
        {"grant_task": ("queue_by = ?10", "queue_by = iif(?10, queue_by, queue_by)")},
        ["test_a_task_that_is_claimed_in_time_has_no_overrun"],
    ),
    "a deadline that ready tasks do not have": (
        {"find_too_late": ("deadline <= ?", "deadline <= ? - 1e9")},
        ["test_a_ready_task_past_its_deadline_goes_to_anybody"],
    ),
    "a deadline that claimed tasks do not have": (
        {"find_running_late": ("deadline <= ?1", "deadline <= ?1 - 1e9")},
        ["test_a_claim_is_revoked_at_the_deadline", "test_a_revoked_attempt_can_write_nothing"],
    ),
    "a revoked claim still accepted": (
        {"revoke_task": ("claim = NULL, ", "")},
        ["test_a_revoked_attempt_can_write_nothing", "test_a_claim_is_revoked_at_the_deadline"],
    ),
    "a claim revoked from who would settle the overrun": (
        {"find_running_late": ("AND claimed_at < deadline", "")},
        ["test_a_claim_given_out_after_the_deadline_is_left_alone"],
    ),
    "spare parents ignored": (
        {"release_quorum": ("spare = spare - ?16", "spare = spare")},
        ["test_a_quorum_that_cannot_be_reached_is_broken_at_once"],
    ),
    "a quorum that can spare nobody": (
        {"release_quorum": (" AND spare - ?16 >= 0", " AND ?16 = 0")},
        ["test_a_quorum_does_without_as_many_as_it_can_spare"],
    ),
    "a quorum broken by each missing parent": (
        {"release_quorum": ("broken = spare - ?16 < 0", "broken = broken OR ?16 > 0")},
        ["test_parents_that_settle_at_once_start_a_quorum_once"],
    ),
    "a straggler restarts a quorum": (
        {"release_quorum": ("WHERE state = 'waiting'\n", "WHERE state <> ''\n")},
        ["test_a_straggler_changes_nothing"],
    ),
    "elements that a list does not have and that a quorum waits for": (
        {"release_quorum": ("spare = spare - ?16", "spare = spare - min(?16, 1)")},
        ["test_each_element_of_a_list_counts_for_a_quorum"],
    ),
    "a quorum started by who was not needed for it": (
        {"release_quorum": ("iif(waiting > ?11 AND spare", "iif(waiting > ?11 + 1 AND spare")},
        ["test_a_quorum_starts_with_the_last_handoff_that_it_needs"],
    ),
    "a deadline that starts with the first parent": (
        {
            "release_task": ("iif(?5 > 0, NULL, ?14)", "?14"),
        },
        ["test_the_deadline_of_a_join_counts_from_its_last_parent"],
    ),
    "no epoch check": (
        {"settle_task": ("AND epoch = ?4 ", "")},
        ["test_epoch_and_claim_are_both_compared"],
    ),
    "no claim check": (
        {"settle_task": ("AND claim = ?5", "AND ?5 = ?5")},
        ["test_epoch_and_claim_are_both_compared", "test_a_retry_revokes_the_claim"],
    ),
    "late results refused": (
        {"settle_task": ("IN ('claimed', 'ready')", "= 'claimed'")},
        ["test_a_late_result_that_nobody_superseded_is_accepted"],
    ),
    "a version left out": (
        {"settle_task": ("AND version = coalesce(?7 - 1, version)", "")},
        ["test_a_version_must_be_the_next"],
    ),
    "version overwritten": (
        {"insert_handoff": ("iif(?4 > 1,", "iif(0,")},
        ["test_an_approval_is_the_next_version_and_releases"],
    ),
    "an older version served": (
        {
            "settle_task": ("coalesce(?8, handoff)", "coalesce(handoff, ?8)"),
            "decide_task": ("handoff = ?6", "error = error"),
        },
        ["test_an_approval_is_the_next_version_and_releases"],
    ),
    "an older version pinned": (
        {"latest_pins": ("handoff.version", "handoff.version - 1")},
        ["test_a_join_pins_the_latest_handoff_of_each_parent"],
    ),
    "sequence with a gap": ({"insert_event": ("1 + ifnull", "2 + ifnull")}, ["test_sequences_have_no_gap"]),
    "blind expire": (
        {"find_expired": ("lease <= ?1", "?1 > 0")},
        ["test_a_claim_is_kept_until_its_lease_is_over"],
    ),
    "renew revives": (
        {
            "renew_task": ("AND state = 'claimed'", ""),
        },
        ["test_renewing_does_not_revive", "test_renewing_a_lost_claim_is_refused"],
    ),
    "key not idempotent": ({"find_run": ("key = ?", "key = ? AND 0")}, ["test_a_key_names_one_run"]),
    "a retry keeps its claim": (
        {"return_task": ("claim = NULL", "claim = claim")},
        ["test_a_retry_revokes_the_claim"],
    ),
    "a join released early": (
        {"release_task": ("iif(waiting > ?11, 'waiting', 'ready')", "iif(0, '', 'ready')")},
        ["test_a_join_waits_for_all_its_parents"],
    ),
    "a started task released again": (
        {"release_task": ("WHERE state = 'waiting'\n", "WHERE state <> ''\n")},
        ["test_a_dependent_that_has_started_is_left_alone"],
    ),
    "delays ignored": (
        {"find_ready": ("due <= ?", "due <= ? + 1e9"), "may_claim": ("due <= ?1\n", "due <= ?1 + 1e9\n")},
        ["test_a_delayed_task_waits_for_its_time"],
    ),
    "cancel leaves claims": (
        {"cancel_tasks": ("'waiting', 'ready', 'claimed', 'needs_review'", "'waiting', 'ready'")},
        ["test_a_cancelled_attempt_can_write_nothing"],
    ),
    "pruned positions used again": (
        {"pruned_after": ("EXISTS (", "0 * EXISTS (")},
        ["test_a_cursor_behind_pruned_events_expires"],
    ),
}


def plant_in_sql(changes: dict[str, tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put something else in the place of a part of each of some statements."""
    for statement, (part, _) in changes.items():
        assert part in getattr(SQL, statement), f"{statement}.sql has changed: plant the fault anew"
    planted = SQL._replace(
        **{each: getattr(SQL, each).replace(part, instead) for each, (part, instead) in changes.items()}
    )
    for module in [module for key, module in sys.modules.items() if key.startswith("segue.stores.sqlite")]:
        if getattr(module, "SQL", None) is SQL:
            monkeypatch.setattr(module, "SQL", planted)


@pytest.fixture
def sqlite(tmp_path: Path) -> Callable[[ManualClock], Store]:
    """Makes stores, each on a file of its own."""
    numbers = iter(range(1_000))
    return lambda clock: SqliteStore(tmp_path / f"{next(numbers)}.db", "fast", clock)


@pytest.mark.parametrize("name", SQL_FAULTS)
async def test_a_fault_in_a_statement_is_seen(
    name: str, sqlite: Callable[[ManualClock], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement does what its test says: without a part of it the test fails."""
    changes, tests = SQL_FAULTS[name]
    plant_in_sql(changes, monkeypatch)
    assert [test for test in tests if await outcome(test, sqlite) is None] == []


async def test_an_event_outside_the_transaction_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that commits a state first and its event in a second transaction fails the suite."""
    clock = ManualClock()
    store = SqliteStore(tmp_path / "segue.db", "fast", clock)
    await store.open()
    await store.register_worker("first", "{}")  # from here on commits are made in the loop's thread
    tell, kept = Transaction.tell, []

    def tell_with_the_next_commit(tx: Transaction, events: Any) -> None:
        tell(tx, kept.copy())
        kept[:] = events

    monkeypatch.setattr(Transaction, "tell", tell_with_the_next_commit)
    with pytest.raises(AssertionError):
        await StoreConformance().test_a_settlement_writes_state_handoff_and_event(Desk(store, clock))
    await store.close()
