"""Keys, ids, names and cursors are values: whatever stands in them, nothing more is read and nothing is changed."""

from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.decisions import Control
from segue.domain.event_names import matches_any
from segue.domain.records import ClaimRequest
from segue.errors import CursorExpired
from segue.ports.store import Store
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.sqlite import SqliteStore
from segue.stores.wording import Position, cursor_text, parse_cursor
from segue.testing import ManualClock, audit
from tests.disk.story import Story

PARTS = [
    "'", '"', "`", "--", "/*", "*/", ";", "\\", "%", "_", "*", "?", "[", "]", "(", ")", "$", "@x", ":x", "?1", "||",
    "=", " OR 1=1", " OR ''=''", "' OR '1'='1", "') OR ('1'='1", "' UNION SELECT * FROM meta --",
    "'; DROP TABLE run; --", "'; DELETE FROM event; --", "1; PRAGMA writable_schema=1",
    "' AND randomblob(100000000) --", "load_extension('x')", "ATTACH DATABASE '/tmp/x' AS x", "$.key", "$[0]",
    '{"$ne":null}', '["a"]', "run-1", "first-run-1", "NULL", "true", "0x41", "%27", "\u02bc", "\uff07", "\u200b",
    "\u202e", "\x1b[2J", "\n", "\r\n", "\t", "${jndi:ldap://x}", "{{7*7}}", "../..", "🙂", "e\u0301", "\U0010ffff",
    "A" * 500,
]  # fmt: skip


def words(count: int) -> list[str]:
    """Hostile words, each of one to four parts."""
    random = Random(5)
    return [
        *PARTS,
        *("".join(random.choices(PARTS, k=random.randint(2, 4))) for _ in range(count - len(PARTS))),
    ]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store that holds something to be read or broken."""
    clock = ManualClock()
    store: Any = (
        MemoryStore(clock) if request.param == "memory" else SqliteStore(tmp_path / "x.db", "fast", clock)
    )
    await store.open()
    await Story(store, MemoryArtifacts(clock), clock, "first").play(1)
    yield store
    await store.close()


async def everything(store: Store) -> Any:
    return await store.list_runs(1_000), await store.tail(None, 10_000), await store.list_workers()


async def ask(store: Store, word: str) -> list[Any]:
    """All that a word can be given for when it names nothing; what it found."""
    claim = ClaimRequest(word, word, 10, (word,), ((word, 5),), 30.0)
    return [
        await store.find_run(word),
        await store.read_graph(word),
        await store.read_schema(word),
        *await store.read_tasks("first-run-1", [(word, -1)]),
        *await store.read_handoffs("first-run-1", [(word, -1, 1)]),
        *await store.latest_handoffs("first-run-1", [word]),
        *await store.read_steps("first-run-1", word, -1),
        *await store.claim(claim),
        *await store.expire([word]),
        await store.next_due([word]),
    ]


async def test_words_are_values(store: Store) -> None:
    """500 hostile keys, ids and names find nothing, change nothing, and raise nothing."""
    before = await everything(store)
    hostile = words(500)
    assert len(set(hostile)) > 450
    for word in hostile:
        assert [found for found in await ask(store, word) if found is not None] == [], word
        if not word.startswith("first-run-"):
            assert (await store.read_run(word), await store.read_tasks(word)) == (None, []), word
            assert (await store.tail(None, 10, word))[0] == [], word
            wanted = Control(word, "cancel", word, word, word)
            assert await store.control(wanted) == "stale", word
            assert await store.read_command(word, word) is None, word
            assert list(await store.read_pauses(word)) == [], word
        known = {record.run for record in await store.list_runs(1_000)}
        assert {record.run for record in await store.list_runs(1_000, word)} <= known, word
        matches_any("task.a_agent.complete", [word])
    assert await everything(store) == before
    assert await audit(store) == []


async def test_words_are_kept_as_they_are(store: Store) -> None:
    """As ids of workers they come back exactly as they were given, and are forgotten one by one."""
    hostile = words(200)
    for word in hostile:
        await store.register_worker(word, word)
    assert sorted(await store.list_workers()) == sorted((word, word) for word in set(hostile))
    await store.forget_workers(set(hostile))
    assert list(await store.list_workers()) == []


INCARNATION = "0123456789abcdef"


@given(
    st.text(max_size=60)
    | st.from_regex(r"[0-9a-f]{16}:[0-9]{1,25}:[0-9]{1,25}", fullmatch=True)
    | st.builds(
        lambda place, junk, count: (
            f"{INCARNATION}:1:23"[:place] + junk + f"{INCARNATION}:1:23"[place + count :]
        ),
        st.integers(0, 21),
        st.text(max_size=3),
        st.integers(0, 3),
    )
)
@settings(max_examples=500, deadline=None)
def test_a_cursor_is_what_was_given_out_or_nothing(cursor: str) -> None:
    """Whatever is not written exactly as a store writes it is refused; what is accepted says where it stands."""
    try:
        position = parse_cursor(cursor, INCARNATION)
    except CursorExpired as error:
        assert error.remedy  # noqa: PT017 (most are refused, and some are right)
        return
    assert cursor_text(position) == cursor
    assert isinstance(position, Position)
    assert position.incarnation == INCARNATION
    assert max(position.generation, position.position) < 2**63


async def test_a_changed_cursor_shows_nothing_else(store: Store) -> None:
    """A cursor of one run shows events of this run only, wherever it points; another store's shows nothing."""
    _, cursor = await store.tail(None, 3)
    head, _, _ = cursor.rpartition(":")
    for position in (0, 1, 5, 10**6, 10**17):
        events, _ = await store.tail(f"{head}:{position}", 1_000, "first-run-1")
        assert {event.run for event in events} <= {"first-run-1"}
    for changed in (
        cursor.upper() + "x",
        f"{head}:-1",
        f"{head}:1e3",
        f"{head}:01",
        f"{cursor}\n",
        f"ffff{cursor[4:]}",
    ):
        with pytest.raises(CursorExpired):
            await store.tail(changed, 10)
