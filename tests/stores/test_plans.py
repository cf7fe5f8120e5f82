"""No statement reads more than it must."""

import re
from pathlib import Path

import apsw
import pytest

from segue.stores.sqlite.file.connection import connect
from segue.stores.sqlite.file.migrating import whole_schema
from segue.stores.sqlite.statements import SQL, Statements

SMALL_OR_RARE = {
    "any_knot": "looks at the claims that need pools, which an index has by themselves, and at the pauses",
    "any_claimed": "stops at the first entry of an index that has only claimed tasks",
    "artifact_references": "reads all references, for pruning",
    "count_rows": "counts everything, for a person",
    "count_wanting": "counts the tasks that wait for pools, for a person",
    "find_expired": "looks at the claimed tasks, which an index has by themselves",
    "find_agents": "goes through the names of agents that it is given",
    "find_holding": "looks at the claims that need pools, which an index has by themselves",
    "find_needing": "looks at the tasks that need pools, when a pool is changed",
    "find_kinds": "takes a step in an index for each kind of ready tasks that need pools",
    "find_knotted_runs": "looks at the tasks that need pools and at the pauses, where there may be a deadlock",
    "find_prunable": "looks at all runs, for pruning",
    "forget_all_workers": "once after a restore",
    "forget_lost_claims": "once after a restore",
    "forget_worker": "looks at the claimed tasks",
    "free_all_consumers": "once after a restart of the machine, or a restore",
    "free_consumers": "looks at all consumers, which are few, when a worker has died",
    "list_consumers": "counts what is left to each consumer, for a person",
    "list_payloads": "reads all payloads, for a person",
    "list_pools": "reads all pools",
    "list_workers": "reads all workers",
    "look": "stops at the first entry of indexes that have only ready tasks",
    "may_claim": "goes through the names of agents that it is given",
    "next_lease": "looks at the claimed tasks",
    "prune_graphs": "looks at all graphs, for pruning",
    "read_accounts": "goes through the accounts that it is given",
    "read_pauses": "reads all pauses that stand, which are few",
    "revoke_claims": "once after a restore",
    "void_delays": "once after a restart of the machine",
    "void_leases": "once after a restart of the machine",
}

OF_KIND = "state=? AND agent=? AND pools=? AND <expr>=? AND <expr>=?"
"""By what the tasks of one kind are found."""


@pytest.fixture
def connection(tmp_path: Path) -> apsw.Connection:
    """An empty store's file."""
    connection = connect(tmp_path / "segue.db", "fast")
    connection.execute(whole_schema())
    return connection


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    """How SQLite would run a statement."""
    numbers = {int(number) for number in re.findall(r"\?(\d+)", statement)}
    count = max(numbers, default=statement.count("?"))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (None,) * count).fetchall()
    return [str(row[3]) for row in rows]


@pytest.mark.parametrize("name", sorted(set(Statements._fields) - set(SMALL_OR_RARE)))
def test_a_statement_finds_its_rows_by_an_index(connection: apsw.Connection, name: str) -> None:
    """Neither a scan nor a sort: the cost of a statement does not grow with what the store holds."""
    steps = plan(connection, getattr(SQL, name))
    connection.close()
    # A chain is the few versions of one hand-off, found by their numbers; a parent is an element of a bound list, and a
    # node one of the few that a parked claim waits for. A line is one of some runs, of a bound list or found in turn.
    scans = {step.partition(" VIRTUAL TABLE")[0] for step in steps if step.startswith("SCAN")}
    assert scans <= {f"SCAN {what}" for what in ("CONSTANT ROW", "chain", "parent", "node", "line", "apart")}
    assert [step for step in steps if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize(
    "name",
    [
        *("any_claimed", "find_agents", "look", "find_expired", "find_holding", "find_kinds"),
        *("forget_worker", "may_claim", "next_lease"),
    ],
)
def test_what_is_scanned_is_small(connection: apsw.Connection, name: str) -> None:
    """Statements that go through all claimed or ready tasks go through an index that has only these."""
    steps = plan(connection, getattr(SQL, name))
    connection.close()
    looks = [step for step in steps if re.match("(SCAN|SEARCH) task", step)]
    assert looks
    assert all(
        re.search(r"INDEX task_(claimed|ready|broken|queue|apart|deadline|pooled)", step) for step in looks
    )


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("find_ready", "task_ready (<expr>=? AND agent=? AND due<?)"),
        ("find_agents", "task_ready (<expr>=? AND agent=? AND due<?)"),
        ("find_agents", "task_apart (requires=? AND agent=? AND due<?)"),
        ("find_suspects", "task_apart (requires=? AND agent=? AND due<?)"),
        ("find_readable", "task_apart (requires=? AND agent=? AND due<?)"),
        ("find_requirements", "COVERING INDEX task_apart (requires>?)"),
        ("find_unclaimed", "task_queue (queue_by<?)"),
        ("find_too_late", "task_deadline (<expr>=? AND deadline<?)"),
        ("find_running_late", "task_deadline (<expr>=? AND deadline<?)"),
        ("next_overrun", "task_deadline (<expr>=? AND deadline>?)"),
        ("find_broken", "task_broken (due<?)"),
        ("may_claim", "task_ready (<expr>=? AND agent=? AND due<?)"),
        ("may_claim", "task_deadline (<expr>=? AND deadline<?)"),
        ("look", "task_ready (<expr>=?)"),
        ("look", "task_deadline (<expr>=? AND deadline<?)"),
        ("find_own_claims", "task_claimed (claim>? AND claim<?)"),
        ("find_kinds", "task_pooled (state=? AND agent=? AND pools>?)"),
        ("find_kinds", "task_pooled (state=? AND agent=? AND pools=? AND <expr>>?)"),
        ("find_runs_in_line", f"task_pooled ({OF_KIND} AND run>?)"),
        ("find_heads", f"task_pooled ({OF_KIND} AND run=? AND due<?)"),
        ("find_heads", "PRIMARY KEY (run=? AND node=? AND item=?)"),
        ("find_line", f"task_pooled ({OF_KIND} AND run=? AND (due,node,item)>(?,?,?) AND due<?)"),
        (
            "find_line_of_others",
            "task_ready (<expr>=? AND agent=? AND (due,run,node,item)>(?,?,?,?) AND due<?)",
        ),
        ("next_retry", "task_ready (<expr>=? AND agent=? AND due>?)"),
        ("judge_run", "task_in_trouble (run=? AND state=?)"),
        ("count_down_run", "task_in_trouble (run=? AND state=? AND tolerated=?)"),
        ("insert_event", "event_in_run (run=?)"),
        ("tail", "INTEGER PRIMARY KEY (rowid>?)"),
        ("list_runs_in_state", "run_by_state (state=? AND run<?)"),
        ("settle_task", "PRIMARY KEY (run=? AND node=? AND item=?)"),
    ],
)
def test_a_statement_uses_the_index_that_is_there_for_it(
    connection: apsw.Connection, name: str, index: str
) -> None:
    """Each index is used as it was meant, with all its columns."""
    steps = plan(connection, getattr(SQL, name))
    connection.close()
    assert any(index in step for step in steps), steps


def test_a_scan_would_be_seen(connection: apsw.Connection) -> None:
    """The plan of a statement without an index is a scan, with a sort where one is asked for."""
    steps = plan(connection, "SELECT run FROM task WHERE worker = ? ORDER BY epoch")
    connection.close()
    assert any(step.startswith("SCAN task") for step in steps)
    assert any("TEMP B-TREE" in step for step in steps)
