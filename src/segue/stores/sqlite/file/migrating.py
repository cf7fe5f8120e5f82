"""Bringing a database file to the schema that this version of Segue reads and writes."""

from __future__ import annotations

import uuid
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import apsw

from segue.domain.envelope.stored import understood
from segue.errors import StoreTooNew, StoreUnavailable
from segue.stores.sqlite.file.connection import APPLICATION_ID
from segue.stores.sqlite.statements import SQL


def migrations() -> list[Traversable]:
    """The numbered migrations, in order."""
    folder = files("segue.stores.sqlite") / "migrations"
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )


def whole_schema() -> str:
    """What all migrations together make."""
    return (files("segue.stores.sqlite") / "schema.sql").read_text()


def bring_up_to_date(connection: apsw.Connection, path: Path, boot_id: str, boot: float) -> None:
    """
    Create the schema in a new file, or apply the migrations that an older one lacks, in one transaction.

    `boot_id` and `boot` are the present start of the machine, and the time since then: what an older file counted from
    an earlier start means nothing any more.

    Raises `StoreUnavailable` for the file of another program and `StoreTooNew` for one of a newer Segue.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate(connection, path)
        _void_what_a_restart_ended(connection, boot_id, boot)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _migrate(connection: apsw.Connection, path: Path) -> None:
    steps = migrations()
    if connection.pragma("application_id") != APPLICATION_ID:
        if connection.pragma("schema_version") != 0:
            raise StoreUnavailable(
                f"{path} is a database of another program", remedy="Name another file, or a new one."
            )
        connection.pragma("application_id", APPLICATION_ID)
        connection.execute(whole_schema())
        write_meta(connection, "incarnation", uuid.uuid4().hex[:16])
        write_meta(connection, "schema_version", str(len(steps)))
        return
    with understood(f"the version of {path}"):
        version = int(read_meta(connection, "schema_version") or 0)
    if version > len(steps):
        raise StoreTooNew(
            f"{path} has schema version {version}, this Segue knows up to {len(steps)}",
            remedy="Upgrade Segue: pip install --upgrade segue",
        )
    for step in steps[version:]:
        connection.execute(step.read_text())
    if version < len(steps):
        write_meta(connection, "schema_version", str(len(steps)))


def _void_what_a_restart_ended(connection: apsw.Connection, boot_id: str, boot: float) -> None:
    if read_meta(connection, "boot_id") == boot_id:
        return
    connection.execute(SQL.void_leases)
    connection.execute(SQL.void_delays, (boot,))
    connection.execute(SQL.free_all_consumers)
    write_meta(connection, "boot_id", boot_id)


def read_meta(connection: apsw.Connection, name: str) -> str | None:
    """A fact about the store."""
    found = connection.execute(SQL.read_meta, (name,)).get
    return str(found) if found is not None else None


def write_meta(connection: apsw.Connection, name: str, value: str) -> None:
    """Write a fact about the store."""
    connection.execute(SQL.write_meta, (name, value))
