"""The schema is the sum of its migrations, and a file of another version is brought up to date or refused."""

from pathlib import Path

import apsw
import pytest

from segue.errors import StoreTooNew
from segue.stores.sqlite import SqliteStore, migrating
from segue.stores.sqlite.migrating import bring_up_to_date, migrations, read_meta, whole_schema, write_meta


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


def test_each_file_has_an_incarnation_of_its_own(tmp_path: Path) -> None:
    """Two new files are two incarnations, and a file keeps its own."""
    found = []
    for name in ("a.db", "b.db", "a.db"):
        connection = apsw.Connection(str(tmp_path / name))
        bring_up_to_date(connection, tmp_path / name, "boot", 0.0)
        found.append(read_meta(connection, "incarnation"))
        connection.close()
    assert found[0] == found[2] != found[1]
