"""Planting faults in stores, and running single tests of the suite on them."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from apsw.ext import query_info

from segue.ports.store import Store
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file.migrating import whole_schema
from segue.stores.sqlite.statements import SQL
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


def fault(target: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    """Replace a method by what `make` builds from it."""
    return lambda patch: patch.setattr(target, name, make(getattr(target, name)))


def plant_in_sql(changes: dict[str, tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put something else in the place of a part of each of some statements."""
    for statement, (part, _) in changes.items():
        assert part in getattr(SQL, statement), f"{statement}.sql has changed: plant the fault anew"
    faulty = {each: getattr(SQL, each).replace(part, instead) for each, (part, instead) in changes.items()}
    with contextlib.closing(apsw.Connection(":memory:")) as connection:
        connection.execute(whole_schema())
        for statement in faulty.values():  # one that SQLite refuses would fail any test
            query_info(connection, statement)
    planted = SQL._replace(**faulty)
    for module in [module for key, module in sys.modules.items() if key.startswith("segue.stores.sqlite")]:
        if getattr(module, "SQL", None) is SQL:
            monkeypatch.setattr(module, "SQL", planted)


@pytest.fixture
def sqlite(tmp_path: Path) -> Callable[[ManualClock], Store]:
    """Makes stores, each on a file of its own."""
    numbers = iter(range(1_000))
    return lambda clock: SqliteStore(tmp_path / f"{next(numbers)}.db", "fast", clock)
