"""The judge of `segue chaos` sees what is wrong: each invariant is broken here by hand."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from segue.app.segue import Segue
from segue.testing.chaos.crew import Crew
from segue.testing.chaos.verdict import INVARIANTS, verdict

from .conftest import NUMBERS

Harm = Callable[[Crew], None]


def judge(crew: Crew) -> dict[str, list[str]]:
    async def read() -> dict[str, list[str]]:
        async with Segue(crew.url, worker=False) as segue:
            return await verdict(segue.host, crew, NUMBERS)

    return asyncio.run(read())


def write(crew: Crew, *statements: str) -> None:
    """Change the file behind the store's back."""
    connection = apsw.Connection(crew.url)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_all_is_well(worked: Crew) -> None:
    """After two runs that nobody disturbed every invariant holds, and each of them was looked at."""
    judged = judge(worked)
    assert list(judged) == list(INVARIANTS)
    assert not any(judged.values()), judged


def lose_a_handoff(crew: Crew) -> None:
    write(crew, "UPDATE handoff SET body = CAST('{\"output\":-1}' AS BLOB), digest = 'sha256:0' WHERE id = 3")


def lose_a_run(crew: Crew) -> None:
    write(crew, "DELETE FROM run WHERE key = 'story-2'")


def accept_twice(crew: Crew) -> None:
    write(
        crew,
        "INSERT INTO event (run, sequence, name, task, epoch, at)"
        " SELECT run, 1000, name, task, epoch, at FROM event WHERE name = 'task.close.complete' LIMIT 1",
    )


def pay_twice(crew: Crew) -> None:
    crew.payments.write_bytes(crew.payments.read_bytes() * 2)


def delegate_twice(crew: Crew) -> None:
    write(crew, "UPDATE run SET grown = 2 WHERE key = 'story-1'")


def hand_on_twice(crew: Crew) -> None:
    write(
        crew,
        "INSERT INTO event (run, sequence, name, task, epoch, at)"
        " SELECT run, 1000, name, task, epoch, at FROM event WHERE name = 'task.aide.handed_on' LIMIT 1",
    )


def spend_beyond(crew: Crew) -> None:
    never_checked = "PRAGMA ignore_check_constraints = ON"
    write(crew, never_checked, "UPDATE allowance SET spent = cap + 1 WHERE account = '' AND unit = 'tokens'")


def leave_something_reserved(crew: Crew) -> None:
    write(crew, "UPDATE allowance SET reserved = 1 WHERE account <> ''")


def forget_a_call(crew: Crew) -> None:
    write(crew, "UPDATE allowance SET spent = spent - 1 WHERE account = '' AND unit = 'tokens'")


def leave_a_consumer_parked(crew: Crew) -> None:
    write(crew, "UPDATE consumer SET parked = 1 WHERE name = 'monitor:auditor'")


def leave_a_place_held(crew: Crew) -> None:
    write(crew, "UPDATE task SET state = 'claimed', lease = 0, worker = 'nobody' WHERE node = 'errand'")


def lose_a_schema(crew: Crew) -> None:
    write(crew, "DELETE FROM schema")


def start_for_nothing(crew: Crew) -> None:
    first = "SELECT min(key) FROM run WHERE key LIKE 'on:receipt:%'"
    write(crew, f"UPDATE run SET key = 'on:receipt:nothing:1' WHERE key = ({first})")


def note_twice(crew: Crew) -> None:
    write(
        crew,
        "INSERT INTO event (run, sequence, name, at)"
        " SELECT run, 1000, name, at FROM event WHERE name = 'run.annotated' LIMIT 1",
    )


def leave_a_run_open(crew: Crew) -> None:
    write(crew, "UPDATE run SET state = 'running', ended_at = NULL WHERE key = 'story-1'")


def leave_a_gap(crew: Crew) -> None:
    write(crew, "DELETE FROM event WHERE name = 'task.total.complete'")


def run_twice(crew: Crew) -> None:
    ledger = next((crew.folder / "ledgers").iterdir())
    first = ledger.read_bytes().splitlines(keepends=True)[0]
    (crew.folder / "ledgers" / "another").write_bytes(first)


def claim_for_nothing(crew: Crew) -> None:
    write(crew, "UPDATE task SET epoch = epoch + 1 WHERE node = 'close'")


def complain(crew: Crew) -> None:
    (crew.folder / "said" / "9999").write_text("StoreUnavailable: database is locked\n")


def damage_the_file(crew: Crew) -> None:
    path = Path(crew.url)
    write(crew, "PRAGMA wal_checkpoint(TRUNCATE)")
    connection = apsw.Connection(crew.url)
    ((root,),) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'pool_need_by_places'"
    ).fetchall()
    connection.close()
    content = bytearray(path.read_bytes())
    middle = (root - 1) * 4096 + 3
    content[middle : middle + 2] = b"\x00\x00"  # the page has no entry now
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "seen_by"),
    [
        (lose_a_handoff, {"kept", "log"}),
        (lose_a_run, {"kept", "ended"}),
        (accept_twice, {"once", "log"}),
        (pay_twice, {"paid"}),
        (delegate_twice, {"paid"}),
        (hand_on_twice, {"once", "log"}),
        (spend_beyond, {"spent"}),
        (leave_something_reserved, {"spent"}),
        (forget_a_call, {"spent"}),
        (leave_a_consumer_parked, {"told"}),
        (leave_a_place_held, {"ended", "log"}),
        (lose_a_schema, {"log"}),
        (start_for_nothing, {"told"}),
        (note_twice, {"told", "log"}),
        (leave_a_run_open, {"ended", "log"}),
        (leave_a_gap, {"kept", "once", "log"}),
        (run_twice, {"waste"}),
        (claim_for_nothing, {"waste", "log"}),
        (complain, {"quiet"}),
        (damage_the_file, {"sound"}),
    ],
)
def test_harm_is_seen(worked: Crew, harm: Harm, seen_by: set[str]) -> None:
    """Each kind of harm that is done to a store by hand turns its invariants red."""
    harm(worked)
    judged = judge(worked)
    assert seen_by <= {name for name, problems in judged.items() if problems}, json.dumps(judged, indent=1)
