"""
The SQL of the store: one statement in each file of `queries/`, read once, under the name of its file.

Statements have only positional parameters and constant text. Query plans do not depend on what is bound
(`connection.py` sees to that), so a statement is prepared once and for all.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple


class Statements(NamedTuple):
    """Every statement by name."""

    advance_consumer: str
    any_claimed: str
    any_knot: str
    append_task: str
    artifact_references: str
    await_task: str
    cancel_needless: str
    cancel_run: str
    cancel_task: str
    cancel_tasks: str
    count_down_run: str
    count_rows: str
    count_wanting: str
    cut_run: str
    decide_task: str
    delete_pause: str
    drop_pool: str
    escalate_task: str
    expire_task: str
    find_agents: str
    find_broken: str
    find_command: str
    find_consumer: str
    find_deadlock: str
    find_decision: str
    find_ending: str
    find_expired: str
    find_grown: str
    find_handoff: str
    find_heads: str
    find_hold: str
    find_holding: str
    find_kinds: str
    find_knotted_runs: str
    find_line: str
    find_line_of_others: str
    find_lost_reservations: str
    find_named: str
    find_needing: str
    find_own_claims: str
    find_parked: str
    find_payload: str
    find_prunable: str
    find_readable: str
    find_ready: str
    find_review: str
    find_requirements: str
    find_reservation: str
    find_run: str
    find_running_late: str
    find_runs_in_line: str
    find_shares: str
    find_short_pool: str
    find_step: str
    find_share: str
    find_suspects: str
    find_task: str
    find_too_late: str
    find_unclaimed: str
    find_unmet_need: str
    forget_all_workers: str
    forget_consumer: str
    forget_lost_claims: str
    forget_worker: str
    free_all_consumers: str
    free_consumers: str
    free_task: str
    free_tasks: str
    go_on_task: str
    grant_consumer: str
    grant_task: str
    grow_run: str
    hand_on_task: str
    has_claimed: str
    has_graph: str
    has_open: str
    has_open_below: str
    has_schema: str
    hold_run: str
    hold_task: str
    hold_tasks: str
    insert_command: str
    insert_allowance: str
    insert_event: str
    insert_graph: str
    insert_growth: str
    insert_handoff: str
    insert_handoff_artifact: str
    insert_need: str
    insert_pause: str
    insert_payload: str
    insert_run: str
    insert_schema: str
    insert_task: str
    interrupt_tasks: str
    judge_run: str
    last_position: str
    latest_handoffs: str
    latest_handoffs_of_node: str
    latest_pins: str
    list_consumers: str
    list_pools: str
    list_payloads: str
    list_runs: str
    list_runs_in_state: str
    list_workers: str
    look: str
    may_claim: str
    next_lease: str
    next_overrun: str
    next_retry: str
    note_share: str
    park_task: str
    pin_task: str
    place: str
    prune_command: str
    prune_allowance: str
    prune_event: str
    prune_graphs: str
    prune_growth: str
    prune_handoff: str
    prune_handoff_artifact: str
    prune_need: str
    prune_pause: str
    prune_reservation: str
    prune_run: str
    prune_step: str
    prune_task: str
    pruned_after: str
    read_expired_reviews: str
    put_allowance: str
    put_reservation: str
    read_accounts: str
    read_graph: str
    read_growth: str
    read_handoff: str
    read_handoff_artifacts: str
    read_meta: str
    read_pauses: str
    read_pauses_of_run: str
    read_reviews: str
    read_run: str
    read_schema: str
    read_spending: str
    read_steps: str
    read_task: str
    read_tasks: str
    read_waiting_tasks: str
    reassign_task: str
    record_step: str
    redrive_task: str
    register_consumer: str
    register_worker: str
    release_quorum: str
    release_task: str
    renew_task: str
    reopen_run: str
    resolve_step: str
    return_resolved: str
    return_task: str
    revoke_claims: str
    revoke_task: str
    run_at: str
    run_hold: str
    run_progress: str
    run_state: str
    set_pool: str
    settle_task: str
    start_tasks: str
    stop_tasks: str
    stumble_consumer: str
    tail: str
    tail_run: str
    unpark_consumer: str
    void_delays: str
    void_leases: str
    write_meta: str


def load() -> Statements:
    """Read the files, without the sentences at their heads."""
    folder = files(__package__) / "queries"
    return Statements(
        **{name: _without_comments(folder.joinpath(f"{name}.sql").read_text()) for name in Statements._fields}
    )


def _without_comments(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip()


SQL = load()
