"""The suite sees what it is there to see: SQLite with a fault in a statement fails the test that names it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue.ports.store import Store
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.transaction import Transaction
from segue.testing import ManualClock
from segue.testing.conformance import StoreConformance
from segue.testing.conformance.desk import Desk
from tests.conformance.planting import outcome, plant_in_sql, sqlite

__all__ = ["sqlite"]

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
    "what cannot be read is given to anybody": (
        {"find_ready": (" AND requires IS NULL", "")},
        ["test_a_task_that_cannot_be_read_is_for_others"],
    ),
    "what cannot be read is given to nobody": (
        {"find_requirements": ("state = 'ready'", "state = ''")},
        ["test_a_task_that_cannot_be_read_is_for_others", "test_all_that_is_required_must_be_read"],
    ),
    "an attempt to read is an attempt": (
        {"return_task": ("IN ('handed_back', 'unreadable')", "= 'handed_back'")},
        ["test_a_task_that_cannot_be_read_is_for_others"],
    ),
    "a successor must read what its predecessor could not": (
        {"return_task": ("iif(?8 = 'reassigned', NULL, coalesce(?12, requires))", "coalesce(?12, requires)")},
        ["test_a_retry_still_requires_it_and_another_agent_does_not"],
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
    "a refusal is never tolerated": (
        {"decide_task": ("tolerated = ?9", "tolerated = 0")},
        ["test_a_rejection_that_is_tolerated_does_not_fail_the_run"],
    ),
    "a decision leaves its review open": (
        {"decide_task": ("review_by = NULL", "error = error")},
        ["test_a_review_has_its_time"],
    ),
    "a review passed on keeps its time": (
        {"escalate_task": ("review_by = ?4", "review_by = coalesce(review_by, ?4)")},
        ["test_a_review_is_passed_on"],
    ),
    "a review that was passed on stays with the last": (
        {"redrive_task": ("escalations = 0, ", "")},
        ["test_a_new_hand_off_has_its_whole_time"],
    ),
    "what was decided waits": (
        {
            "read_reviews": (
                "INDEXED BY task_in_trouble ON task.run = run.run AND task.state = 'needs_review'",
                "ON task.run = run.run AND task.state IN ('needs_review', 'complete')",
            )
        },
        ["test_what_waits_is_listed"],
    ),
    "a refusal told twice": (
        {"find_decision": ("claim = ?", "claim = ? || 'x'")},
        ["test_who_was_refused_is_told_of"],
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
        {"judge_run": ("task.state = 'in_doubt'", "task.state = ''")},
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
        {"find_agents": ("losses + (claim IS NOT NULL) >= 2", "0")},
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
        {"return_task": ("?6 + queue_seconds", "queue_by")},
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
    "a redrive that lowers an epoch": (
        {"redrive_task": ("broken = 0", "broken = 0, epoch = 0")},
        ["test_a_redriven_run_goes_on_to_its_end", "test_a_redrive_forgets_failures_losses_and_fallbacks"],
    ),
    "a redrive of a complete task": (
        {"redrive_task": ("'skipped', 'waiting')", "'skipped', 'waiting', 'complete')")},
        ["test_a_redrive_is_written_whole_or_not_at_all"],
    ),
    "a redrive of a task that has been claimed since": (
        {"redrive_task": (" AND epoch = ?4", "")},
        ["test_a_redrive_is_written_whole_or_not_at_all"],
    ),
    "a redrive of a run that goes on": (
        {"reopen_run": ("'needs_review'", "'needs_review', 'running'")},
        ["test_only_what_has_ended_or_is_stuck_is_redriven"],
    ),
    "a redrive of a run that was cancelled": (
        {
            "reopen_run": ("'needs_review'", "'needs_review', 'cancelled'"),
            "redrive_task": ("'skipped', 'waiting')", "'skipped', 'cancelled')"),
        },
        ["test_only_what_has_ended_or_is_stuck_is_redriven"],
    ),
    "a redrive that remembers losses": (
        {"redrive_task": ("losses = 0, ", "")},
        ["test_a_redrive_forgets_failures_losses_and_fallbacks"],
    ),
    "a redrive that keeps what was missing": (
        {"redrive_task": ("iif(broken, NULL, pins)", "pins")},
        ["test_a_redriven_task_gets_the_inputs_that_were_missing"],
    ),
    "a redrive that keeps a claim": (
        {"redrive_task": ("claim = NULL,", "")},
        ["test_a_late_attempt_cannot_write_into_a_redriven_task"],
    ),
    "a redrive whose inputs are those of before": (
        {"release_task": (",\n    parents = excluded.parents, pins = excluded.pins", "")},
        ["test_a_redriven_task_gets_the_inputs_that_it_waits_for"],
    ),
    "spare parents ignored": (
        {"release_quorum": ("spare = spare - ?17", "spare = spare")},
        ["test_a_quorum_that_cannot_be_reached_is_broken_at_once"],
    ),
    "a quorum that can spare nobody": (
        {"release_quorum": (" AND spare - ?17 >= 0", " AND ?17 = 0")},
        ["test_a_quorum_does_without_as_many_as_it_can_spare"],
    ),
    "a quorum broken by each missing parent": (
        {"release_quorum": ("broken = spare - ?17 < 0", "broken = broken OR ?17 > 0")},
        ["test_parents_that_settle_at_once_start_a_quorum_once"],
    ),
    "a straggler restarts a quorum": (
        {"release_quorum": ("WHERE state = 'waiting'\n", "WHERE state <> ''\n")},
        ["test_a_straggler_changes_nothing"],
    ),
    "elements that a list does not have and that a quorum waits for": (
        {"release_quorum": ("spare = spare - ?17", "spare = spare - min(?17, 1)")},
        ["test_each_element_of_a_list_counts_for_a_quorum"],
    ),
    "a quorum started by who was not needed for it": (
        {"release_quorum": ("waiting > ?11 AND spare", "waiting > ?11 + 1 AND spare")},
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
        {"settle_task": ("(state IN ('claimed', 'ready') OR state = 'paused')", "state = 'claimed'")},
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
        {"release_task": ("waiting > ?11", "0")},
        ["test_a_join_waits_for_all_its_parents"],
    ),
    "a started task released again": (
        {"release_task": ("WHERE state = 'waiting'\n", "WHERE state <> ''\n")},
        ["test_a_dependent_that_has_started_is_left_alone"],
    ),
    "delays ignored": (
        {
            "find_ready": ("due <= ?", "due <= ? + 1e9"),
            "find_agents": ("due <= ?2", "due <= ?2 + 1e9"),
            "may_claim": ("due <= ?1\n", "due <= ?1 + 1e9\n"),
        },
        ["test_a_delayed_task_waits_for_its_time"],
    ),
    "a dependent born ready in a paused run": (
        {"release_task": ("?16 & 3", "0")},
        ["test_a_paused_run_gives_nothing_out"],
    ),
    "a dependent that is ready although it was paused": (
        {"release_task": ("hold & 3", "0")},
        ["test_a_task_is_paused_before_it_is_there"],
    ),
    "a quorum that is ready although it was paused": (
        {"release_quorum": ("hold & 3", "0")},
        ["test_a_quorum_is_paused_when_it_would_start"],
    ),
    "a retry that is ready although it was paused": (
        {"return_task": ("hold & 3", "0")},
        ["test_every_way_back_to_ready_respects_a_pause"],
    ),
    "a lost claim that is ready although it was paused": (
        {"expire_task": ("hold & 3", "0")},
        ["test_every_way_back_to_ready_respects_a_pause"],
    ),
    "settled the quick way in a paused run": (
        {"settle_task": ("hold <= ?13", "?13 >= 0")},
        ["test_a_paused_run_gives_nothing_out", "test_a_pause_ends_with_the_task_that_it_lasts_for"],
    ),
    "a late result refused because of a pause": (
        {"settle_task": (" OR state = 'paused'", "")},
        ["test_a_late_result_is_accepted_while_its_task_is_paused"],
    ),
    "an interrupt that keeps the claim": (
        {"interrupt_tasks": ("claim = NULL, ", "")},
        ["test_an_interrupt_revokes_what_runs"],
    ),
    "an interrupt of a run that stops whatever is on hold": (
        {"interrupt_tasks": ("hold & 2", "hold & 3")},
        ["test_an_interrupt_spares_what_the_pause_lasts_for"],
    ),
    "a resume that starts what is paused otherwise": (
        {"start_tasks": ("NOT hold & 3", "1")},
        ["test_a_task_is_paused_apart_from_its_run"],
    ),
    "a resume of all items that starts one paused by itself": (
        {"free_task": ("pause.item IN (-1, task.item)", "0")},
        ["test_a_pause_of_a_mapped_task_holds_its_items"],
    ),
    "a pause that holds what it lasts for": (
        {"hold_tasks": ("?2 IS NULL\n        OR NOT", "1 OR ?2 IS NULL\n        OR NOT")},
        [
            "test_a_later_pause_lets_go_on_what_it_lasts_for",
            "test_a_run_is_paused_until_a_task_has_settled",
        ],
    ),
    "a pause that leaves stopped what it lasts for": (
        {"hold_tasks": ("hold & ~2", "hold")},
        ["test_a_later_pause_lets_go_on_what_it_lasts_for"],
    ),
    "a pause that lasts for ever": (
        {"await_task": ("hold | 4", "hold")},
        ["test_a_pause_ends_with_the_task_that_it_lasts_for"],
    ),
    "a paused task whose deadline waits": (
        {"find_too_late": ("(state = 'claimed') = 0", "state = 'ready'")},
        ["test_the_deadline_of_a_paused_task_stands"],
    ),
    "a paused task that nobody looks for when its deadline has come": (
        {"next_overrun": ("(state = 'claimed') = 0", "state = 'ready'")},
        ["test_the_deadline_of_a_paused_task_stands"],
    ),
    "ready past its deadline although it was paused": (
        {"revoke_task": ("hold & 3", "0")},
        ["test_a_paused_task_is_settled_only_while_it_is_too_late"],
    ),
    "a consumer without a fence": (
        {"advance_consumer": ("epoch = ?2 AND claim = ?3", "?2 AND ?3 IS NOT NULL")},
        ["test_after_its_lease_another_takes_over"],
    ),
    "a consumer that goes back": (
        {"advance_consumer": ("max(position, ?4)", "?4")},
        ["test_who_holds_it_moves_it_on"],
    ),
    "a consumer that keeps its troubles": (
        {"advance_consumer": ("failures = iif(?4 > position, 0, failures)", "failures = failures")},
        ["test_trouble_waits_for_its_time"],
    ),
    "a consumer that stays with the dead": (
        {"free_consumers": ("worker IN", "worker NOT IN")},
        ["test_a_dead_worker_lets_go"],
    ),
    "a consumer begun anew": (
        {"register_consumer": ("DO NOTHING", "DO UPDATE SET position = 0")},
        ["test_a_consumer_begins_where_it_says"],
    ),
    "a consumer that is forgotten while it is held": (
        {"forget_consumer": ("(lease > ?2) IS NOT TRUE", "?2")},
        ["test_only_what_nobody_holds_is_forgotten"],
    ),
    "a parked consumer that skips nothing": (
        {"unpark_consumer": ("iif(?2, trouble, position)", "iif(?2, position, position)")},
        ["test_a_parked_consumer_waits_for_a_person"],
    ),
    "pruned before its consumers": (
        {"find_prunable": ("position < (", "position < -(")},
        ["test_nothing_is_pruned_before_its_consumers"],
    ),
    "a named task claimed although it is only to be settled": (
        {"find_named": ("broken = 0", "broken >= 0")},
        ["test_named_tasks_are_claimed_alone"],
    ),
    "a paused task that needs a review": (
        {"judge_run": (", 'paused'", "")},
        ["test_a_pause_needs_no_review"],
    ),
    "a parked claim that moves its run": (
        {"judge_run": ("task.parked = 1", "0")},
        [
            "test_a_claim_that_waits_for_a_person_moves_nothing",
            "test_a_review_may_be_there_before_somebody_waits_for_it",
        ],
    ),
    "a parked claim that moves nothing": (
        {"judge_run": ("awaited.state NOT IN", "1 OR awaited.state NOT IN")},
        ["test_who_waits_for_what_moves_is_no_reason"],
    ),
    "a claim that waits for what is not there moves": (
        {"judge_run": ("awaited.state IS NULL", "0")},
        ["test_a_review_may_be_there_before_somebody_waits_for_it"],
    ),
    "a parked claim that is settled the quick way": (
        {"settle_task": ("parked <> 1 OR ?13", "1 OR ?13")},
        ["test_an_attempt_that_ends_while_it_waits_moves_its_run"],
    ),
    "a run that ends without its pauses": (
        {"count_down_run": ("EXISTS (SELECT 1 FROM pause WHERE pause.run = ?1)", "0")},
        ["test_the_pauses_of_a_run_go_with_its_end"],
    ),
    "a share that stays with who has died": (
        {"note_share": ("hold | 8", "hold")},
        [
            "test_a_share_comes_back_whatever_becomes_of_who_asked",
            "test_a_share_that_was_never_used_comes_back",
        ],
    ),
    "a share that only its own task gives back": (
        {"append_task": ("hold & 10", "hold & 2")},
        ["test_a_share_comes_back_whatever_becomes_of_who_asked"],
    ),
    "a share that comes back too early": (
        {"has_open_below": ("node < ?2 || '0'", "node < ''")},
        ["test_a_share_comes_back_whatever_becomes_of_who_asked"],
    ),
    "a need that is noted once": (
        {"insert_need": ("DO UPDATE SET places = max(places, excluded.places)", "DO NOTHING")},
        ["test_a_pool_does_not_shrink_below_what_a_task_may_come_to_need"],
    ),
    "what is ready needs nothing": (
        {"find_needing": ("WHERE", "WHERE state <> 'ready' AND")},
        ["test_an_open_task_needs_its_places_again"],
    ),
    "what is paused needs nothing": (
        {"find_needing": ("WHERE", "WHERE state <> 'paused' AND")},
        ["test_an_open_task_needs_its_places_again"],
    ),
    "what is claimed needs nothing": (
        {"find_needing": ("WHERE", "WHERE state <> 'claimed' AND")},
        ["test_an_open_task_needs_its_places_again"],
    ),
    "what is in doubt needs nothing": (
        {"find_needing": ("WHERE", "WHERE state <> 'in_doubt' AND")},
        ["test_an_open_task_needs_its_places_again"],
    ),
    "a cancelled task that keeps its claim": (
        {"cancel_task": ("claim = NULL, ", "")},
        ["test_a_cancelled_task_tells_those_who_need_it"],
    ),
    "a cancelled task that fails nothing": (
        {"count_down_run": ("task.state = 'cancelled'", "task.state = ''")},
        ["test_a_cancelled_task_tells_those_who_need_it"],
    ),
    "an end that leaves something open": (
        {"cut_run": ("cut = 1", "cut = 0")},
        [
            "test_what_is_open_when_its_run_ends_is_cancelled_too",
            "test_a_cancelled_task_tells_those_who_need_it",
        ],
    ),
    "a reassigned task whose worker keeps it": (
        {"reassign_task": ("claim = NULL, ", "")},
        ["test_a_task_is_given_to_others"],
    ),
    "a command that is obeyed twice": (
        {"find_command": ("command = ?", "command = ? AND 0")},
        ["test_a_command_is_obeyed_once"],
    ),
    "cancel leaves claims": (
        {"cancel_tasks": ("'waiting', 'ready', 'claimed', 'needs_review'", "'waiting', 'ready'")},
        ["test_a_cancelled_attempt_can_write_nothing"],
    ),
    "pruned positions used again": (
        {"pruned_after": ("EXISTS (", "0 * EXISTS (")},
        ["test_a_cursor_behind_pruned_events_expires"],
    ),
    "who waits keeps all his places": (
        {"find_holding": ("pools, parked, claimed_at", "pools, 0, claimed_at")},
        ["test_who_waits_gives_his_places_back", "test_nothing_is_kept_for_whom_it_would_not_help"],
    ),
    "a claim that is only to be settled holds places": (
        {
            "find_holding": (
                " AND broken = 0 AND queue_by IS NULL\n  AND (deadline <= claimed_at) IS NOT TRUE",
                "",
            )
        },
        ["test_who_is_only_to_be_settled_needs_no_places"],
    ),
    "the next attempt is still parked": (
        {"grant_task": (", parked = 0, awaits = NULL", "")},
        ["test_a_claim_that_is_lost_holds_nothing"],
    ),
    "a successor has the needs of the one before": (
        {"return_task": ("iif(?8 = 'reassigned', ?11, pools)", "pools")},
        ["test_a_successor_has_its_own_needs"],
    ),
    "only the oldest run gets places": (
        {"find_runs_in_line": ("FROM line\n    WHERE run IS NOT NULL", "FROM line\n    WHERE 0")},
        ["test_the_run_that_holds_least_comes_first"],
    ),
    "any pool will do": (
        {"find_short_pool": ("places > there", "places > there + 99")},
        ["test_a_run_that_could_wait_for_ever_is_refused", "test_what_is_tried_again_needs_its_pools_again"],
    ),
    "a pool that shrinks below what is coming": (
        {
            "find_unmet_need": ("places > ?2", "places > ?2 + 99"),
            "find_needing": ("WHERE", "WHERE state <> 'ready' AND"),
        },
        ["test_a_pool_does_not_shrink_below_what_a_task_needs"],
    ),
    "a suspect without its places": (
        {"find_suspects": (" AND pools IS NULL", "")},
        ["test_a_suspect_needs_its_places_too"],
    ),
    "a retry for which nobody wakes up because it needs places": (
        {"next_retry": ("(pools IS NOT NULL) = 1", "0")},
        ["test_a_retry_that_needs_places_is_looked_for_when_it_is_due"],
    ),
    "parked by anybody": (
        {
            "park_task": ("AND claim = ?5 ", "AND ?5 IS NOT NULL "),
            "find_parked": ("AND claim = ?5 ", "AND ?5 IS NOT NULL "),
        },
        ["test_parking_is_fenced"],
    ),
    "deadlocks not counted": (
        {"return_task": ("deadlocks + (?8 = 'deadlocked')", "deadlocks")},
        ["test_one_breaks_a_deadlock"],
    ),
    "told again": (
        {"find_deadlock": ("claim = ?", "claim = ? AND 0")},
        ["test_a_deadlock_that_is_only_told_is_told_once"],
    ),
    "what is only to be settled waits for places": (
        {"read_waiting_tasks": ("broken = 1", "0")},
        ["test_what_is_only_to_be_settled_is_seen_without_pools"],
    ),
}


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
