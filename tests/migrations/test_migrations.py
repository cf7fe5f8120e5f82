"""The schema is the sum of its migrations, and a file of another version is brought up to date or refused."""

from pathlib import Path

import apsw
import pytest

from segue.domain.records import Token
from segue.errors import StoreTooNew
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file import migrating
from segue.stores.sqlite.file.connection import APPLICATION_ID
from segue.stores.sqlite.file.migrating import (
    bring_up_to_date,
    migrations,
    read_meta,
    whole_schema,
    write_meta,
)
from segue.stores.sqlite.file.premises import boot_id
from segue.testing import ManualClock
from segue.testing.conformance.desk import Desk, join


def tables(connection: apsw.Connection) -> list[tuple[str, str, str]]:
    """Everything that a schema consists of, without its spaces and comments."""
    rows = connection.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"
    ).fetchall()
    return [(str(kind), str(name), " ".join(str(sql).split())) for kind, name, sql in rows]


def test_the_schema_is_the_sum_of_its_migrations() -> None:
    """A new file and one that went through all versions have the same tables and indexes."""
    new, old = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    new.execute(whole_schema())
    for step in migrations():
        old.execute(step.read_text())
    assert tables(new) == tables(old)
    assert len(tables(new)) > 10


def test_a_difference_would_be_seen() -> None:
    """One column more in one of them is a difference."""
    new, old = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    new.execute(whole_schema())
    old.execute(whole_schema().replace("about  TEXT NOT NULL", "about TEXT NOT NULL, extra TEXT"))
    assert tables(new) != tables(old)


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """A file that a newer Segue has written is not touched, and the error says what to do."""
    path = tmp_path / "segue.db"
    store = SqliteStore(path, "fast")
    await store.open()
    await store.close()
    connection = apsw.Connection(str(path))
    write_meta(connection, "schema_version", "999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="999") as caught:
        await SqliteStore(path, "fast").open()
    assert "pip install" in str(caught.value)
    assert path.read_bytes() == before


def test_an_older_file_gets_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the missing migrations are applied, all in one transaction, and the version is written with them."""
    connection = apsw.Connection(str(tmp_path / "segue.db"))
    bring_up_to_date(connection, tmp_path / "segue.db", "boot", 0.0)
    second, third = tmp_path / "0002_more.sql", tmp_path / "0003_wrong.sql"
    second.write_text("-- More.\nCREATE TABLE more (x TEXT) STRICT;\n")
    third.write_text("-- Wrong.\nCREATE TABLE more (x TEXT) STRICT;\n")
    known = migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: [*known, second, third])
    with pytest.raises(apsw.SQLError):
        bring_up_to_date(connection, tmp_path / "segue.db", "boot", 0.0)
    assert read_meta(connection, "schema_version") == str(len(known))
    assert "more" not in [name for _, name, _ in tables(connection)]
    monkeypatch.setattr(migrating, "migrations", lambda: [*known, second])
    bring_up_to_date(connection, tmp_path / "segue.db", "boot", 0.0)
    assert read_meta(connection, "schema_version") == str(len(known) + 1)
    assert "more" in [name for _, name, _ in tables(connection)]
    connection.close()


async def test_a_file_of_the_first_version_goes_on_where_it_was(tmp_path: Path) -> None:
    """Every task of an older file keeps what it has: claims may settle, what was lost counts, what is ready is run."""
    path, clock = tmp_path / "segue.db", ManualClock()
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION_ID)
    connection.execute(migrations()[0].read_text())
    for name, value in (("incarnation", "0123456789abcdef"), ("schema_version", "1"), ("boot_id", boot_id())):
        write_meta(connection, name, value)
    connection.execute("INSERT INTO graph VALUES ('sha256:g', '{}')")
    connection.execute(
        "INSERT INTO run VALUES ('r', 'key', 'w', 'running', 5, 'sha256:g', '{}', '{}', 1.0, NULL)"
    )
    connection.execute(
        """
        INSERT INTO task (run, node, item, agent, state, waiting, epoch, attempt, version, handoff, claim, worker,
            lease, due, broken, ready_at, claimed_at, settled_at, error, parents, pins)
        VALUES
            ('r', 'done', -1, 'x', 'complete', 0, 1, 1, 1, 7, 'c1', 'w1', NULL, NULL, 0, 1.0, 2.0, 3.0, NULL, NULL,
                NULL),
            ('r', 'held', -1, 'x', 'claimed', 0, 2, 2, 0, NULL, 'c2', 'w1', 9e9, NULL, 0, 1.0, 2.0, NULL, '"no"', NULL,
                jsonb('[["done", -1, 1, "sha256:h", "complete"]]')),
            ('r', 'lost', -1, 'x', 'ready', 0, 3, 3, 0, NULL, 'c3', 'w2', NULL, 5.0, 0, 1.0, 2.0, NULL, NULL, NULL,
                NULL),
            ('r', 'later', -1, 'x', 'ready', 0, 1, 1, 0, NULL, NULL, 'w2', NULL, 9e9, 0, 1.0, 2.0, NULL, NULL, NULL,
                NULL),
            ('r', 'join', -1, 'x', 'waiting', 1, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL,
                jsonb('["held"]'), NULL)
        """
    )
    connection.execute(
        "INSERT INTO handoff VALUES (7, NULL, 1, 1, 'c1', 'complete', 'sha256:h', 's', 1.0, 2.0, 2, CAST('{}' AS BLOB))"
    )
    connection.close()
    store = SqliteStore(path, "fast", clock)
    await store.open()
    tasks = {task.node: task for task in await store.read_tasks("r")}
    states = {node: (task.state, task.epoch, task.attempt, task.claim) for node, task in tasks.items()}
    assert states == {
        "done": ("complete", 1, 1, "c1"),
        "held": ("claimed", 2, 2, "c2"),
        "lost": ("ready", 3, 3, "c3"),
        "later": ("ready", 1, 1, None),
        "join": ("waiting", 0, 0, None),
    }
    assert {(task.failures, task.losses, task.deadline, task.tolerated) for task in tasks.values()} == {
        (0, 0, None, False)
    }
    assert (tasks["held"].error, len(tasks["held"].pins)) == ('"no"', 1)
    assert [stored.record.digest for stored in await store.latest_handoffs("r")] == ["sha256:h"]
    desk = Desk(store, clock)
    assert list(await store.expire()) == []
    (lost,) = await desk.claim("x")
    assert (lost.token.node, lost.token.epoch, lost.losses) == ("lost", 4, 1)
    token = Token("r", "held", -1, 2, "c2")
    answer = await desk.end(lost._replace(token=token), join("join", 1, parents=("held",), claim="c5"))
    assert (answer.verdict, [pin.node for pin in answer.claims[0].pins]) == ("accepted", ["held"])
    await store.close()


def test_what_was_ready_in_spite_of_a_pause_is_paused_again() -> None:
    """Past their deadline paused tasks used to be made ready: in a file with some they stand still as before."""
    connection, known = apsw.Connection(":memory:"), migrations()
    before = next(place for place, step in enumerate(known) if step.name.startswith("0015"))
    for step in known[:before]:
        connection.execute(step.read_text())
    connection.execute(
        """
        INSERT INTO task (run, node, item, agent, state, waiting, due, broken, queue_by, deadline, hold)
        VALUES
            ('r', 'held', -1, 'x', 'ready', 0, 5.0, 0, 9.0, 7.0, 1),
            ('r', 'free', -1, 'x', 'ready', 0, 5.0, 0, 9.0, 7.0, 4)
        """
    )
    connection.execute(known[before].read_text())
    rows = connection.execute(
        "SELECT node, state, due, queue_by, deadline FROM task ORDER BY node"
    ).fetchall()
    connection.close()
    assert rows == [("free", "ready", 5.0, 9.0, 7.0), ("held", "paused", None, None, 7.0)]


def test_each_file_has_an_incarnation_of_its_own(tmp_path: Path) -> None:
    """Two new files are two incarnations, and a file keeps its own."""
    found = []
    for name in ("a.db", "b.db", "a.db"):
        connection = apsw.Connection(str(tmp_path / name))
        bring_up_to_date(connection, tmp_path / name, "boot", 0.0)
        found.append(read_meta(connection, "incarnation"))
        connection.close()
    assert found[0] == found[2] != found[1]
