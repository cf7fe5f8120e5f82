"""Addresses of stores."""

import os
from pathlib import Path

import pytest

from segue.errors import StoreUnavailable
from segue.stores.memory import MemoryStore
from segue.stores.sqlite import SqliteStore
from segue.stores.urls import open_store


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("segue.db", "segue.db"),
        ("sqlite:///segue.db", "segue.db"),
        ("sqlite:///a%20b.db", "a b.db"),
        ("sqlite:////{}/absolute.db", "absolute.db"),
        ("{}/plain.db", "plain.db"),
    ],
)
async def test_a_path_or_sqlite_address_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, path: str
) -> None:
    """A path, relative or absolute, with or without the scheme, is the file that it names."""
    monkeypatch.chdir(tmp_path)
    parts = open_store(url.format(str(tmp_path).removeprefix("/") if "sqlite" in url else tmp_path))
    assert isinstance(parts.store, SqliteStore)
    await parts.store.open()
    facts = await parts.store.facts()
    await parts.store.close()
    assert (facts.location, facts.durability) == (str(tmp_path / path), "durable")
    assert parts.artifacts_folder == tmp_path / f"{path}.d" / "artifacts"


async def test_memory_is_an_address() -> None:
    """The model in memory has its artifacts with it and needs no folder."""
    parts = open_store("memory:")
    parts.set_idle(lambda: True)
    assert isinstance(parts.store, MemoryStore)
    assert parts.artifacts_folder is None
    stored = await parts.artifacts.put(b"x")
    assert await parts.artifacts.get(stored.digest) == b"x"
    parts.liveness.hold("w")
    assert parts.liveness.dead(["w", "x"]) == set()
    parts.liveness.let_go("w")


@pytest.mark.parametrize("url", ["postgresql://host/db", "redis://host", "rediss://host", "valkey://host"])
def test_what_is_still_to_come_is_said_to_be(url: str) -> None:
    """Stores that this version does not have are refused by name, with what there is."""
    with pytest.raises(StoreUnavailable, match="not available in this version") as caught:
        open_store(url)
    assert "segue.db" in str(caught.value.remedy)


@pytest.mark.parametrize("url", ["", "ftp://host/x", "sqlite://", "sqlite:///", "sqlite://host/x.db"])
def test_anything_else_is_refused_with_what_there_is(url: str) -> None:
    """An address that names no store is an error that lists those that do."""
    with pytest.raises(StoreUnavailable) as caught:
        open_store(url)
    assert "segue.db" in str(caught.value.remedy)


def test_an_unknown_durability_is_refused() -> None:
    """A promise that SQLite cannot keep is not made."""
    with pytest.raises(StoreUnavailable, match="replicated"):
        open_store("segue.db", durability="replicated")


async def test_the_engine_says_when_it_is_idle(tmp_path: Path) -> None:
    """What the engine hands over is asked before a durable commit."""
    parts = open_store(os.fspath(tmp_path / "segue.db"))
    asked = []
    parts.set_idle(lambda: bool(asked.append(True)))
    await parts.store.open()
    await parts.store.register_worker("w", "{}")
    await parts.store.close()
    assert asked == [True]
