"""Artifacts as values: pointers that cross inside payloads and find their bytes again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from segue.domain.envelope.artifact import Artifact, artifact_home
from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import schema_of
from segue.errors import ArtifactError, InvalidPayload, NoAttemptError, UnserialisablePayload
from tests.unit.envelope.helpers import Findings, MemoryHome, across

DIGEST = digest_of(b"a,b\n1,2\n")
TABLE = Artifact.of_digest(DIGEST, "text/csv", 8)


@pytest.fixture
def home() -> Iterator[MemoryHome]:
    """A home such as the engine sets around an attempt."""
    memory = MemoryHome()
    token = artifact_home.set(memory)
    yield memory
    artifact_home.reset(token)


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"a,b\n", b"1,2\n"):
        yield piece


async def test_what_is_written_is_read(home: MemoryHome, tmp_path: Path) -> None:
    """Bytes, text, streams and files become the same artifact, whatever way they come."""
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n1,2\n")
    for data in (b"a,b\n1,2\n", "a,b\n1,2\n", pieces(), path):
        artifact = await Artifact.write(data, media_type="text/csv")
        assert artifact == TABLE
        assert artifact.digest == DIGEST
        assert await artifact.read() == b"a,b\n1,2\n"
        assert await artifact.text() == "a,b\n1,2\n"
        assert b"".join([piece async for piece in artifact.stream()]) == b"a,b\n1,2\n"
    assert list(home.kept) == [DIGEST]


def test_threads_write_and_read_with_wait(home: MemoryHome) -> None:
    """The blocking twins give the same values."""
    artifact = Artifact.write("héllo").wait()
    assert artifact.media_type == "text/plain; charset=utf-8"
    assert (artifact.size, artifact.text().wait(), artifact.read().wait()) == (6, "héllo", "héllo".encode())
    assert Artifact.write(b"x").wait().media_type == "application/octet-stream"


def test_writing_outside_an_agent_is_an_error_that_says_so() -> None:
    """There is nothing to register the bytes with."""
    with pytest.raises(NoAttemptError, match="outside a running agent"):
        Artifact.write(b"x")


def test_reading_a_bare_pointer_outside_an_agent_is_an_error_that_says_so() -> None:
    """A pointer made by hand knows no home."""
    with pytest.raises(NoAttemptError, match="does not come from a result"):
        TABLE.read()


def test_pointers_of_other_schemes_cross_and_are_not_read() -> None:
    """They keep what they say, unknown sizes included, and the error names the remedy."""
    schema = schema_of(Artifact)
    for uri in ("s3://bucket/key.csv", "file:///data/a.csv", "https://example.org/a?b=c", "gs://b/ü"):
        artifact = schema.load(schema.dump(Artifact(uri)))
        assert (artifact.uri, artifact.size, artifact.digest) == (uri, None, None)
        with pytest.raises(ArtifactError, match="your own client"):
            artifact.read()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "table.csv",
        "segue://",
        "segue://sha256:abc",
        f"segue://md5:{'0' * 64}",
        f"segue://{DIGEST}/more",
        f"segue://{DIGEST.upper()}",
        "s3://with space",
        "s3://a\n",
        "x" * 10_000,
    ],
    ids=lambda uri: repr(uri[:20]),
)
def test_malformed_pointers_are_refused(uri: str) -> None:
    """By hand and in a payload, with an error that quotes no more than the beginning."""
    with pytest.raises(InvalidPayload, match="is not the URI of an artifact") as caught:
        Artifact(uri)
    assert len(str(caught.value)) < 500
    with pytest.raises(InvalidPayload, match=r"raw: Value error, .* is not the URI"):
        schema_of(Findings).dump({"competitors": [], "raw": {"uri": uri}})


def test_malformed_media_types_and_sizes_are_refused() -> None:
    """They end up in headers of responses, so nothing odd may be in them."""
    for media_type in ("", "csv", "text/csv\r\nX: y", "text/csv, text/html"):
        with pytest.raises(InvalidPayload, match="media type"):
            Artifact("s3://a", media_type)
    with pytest.raises(InvalidPayload, match="whole number of bytes"):
        Artifact("s3://a", size=-1)


def test_artifacts_are_values() -> None:
    """Equal pointers are equal wherever they are read from, and none can be changed."""
    assert Artifact.of_digest(DIGEST, "text/csv", 8, home=MemoryHome()) == TABLE
    assert len({TABLE, Artifact.of_digest(DIGEST, "text/csv", 8), Artifact("s3://a")}) == 2
    with pytest.raises(AttributeError, match="cannot be changed"):
        TABLE.uri = "s3://b"
    with pytest.raises(AttributeError, match="cannot be changed"):
        del TABLE.uri
    assert DIGEST in repr(TABLE)


def test_artifacts_are_found_wherever_they_are_in_a_value() -> None:
    """In fields, lists, dicts and under `Any`, so that each is registered with its hand-off."""

    class Deep(BaseModel):
        one: Artifact
        many: dict[str, list[Artifact | None]]
        anything: Any

    others = [Artifact.of_digest(digest_of(bytes([n])), "text/plain", 1) for n in range(3)]
    value = Deep(one=TABLE, many={"a": [None, others[0]]}, anything={"b": [others[1], {"c": others[2]}]})
    found: list[Artifact] = []
    schema_of(Deep).dump(value, found)
    assert found == [TABLE, *others]
    found.clear()
    schema_of(Deep).dump(value.model_dump() | {"one": TABLE}, found)
    assert TABLE in found


def test_an_artifact_in_a_result_is_read_anywhere() -> None:
    """It remembers the home that it was loaded with, also when no agent runs any more."""
    home = MemoryHome({DIGEST: b"a,b\n1,2\n"})
    received = across(Findings(competitors=[], raw=TABLE), Findings, home=home)
    assert received.output.raw.text().wait() == "a,b\n1,2\n"


def test_text_that_is_not_text_is_an_error_of_the_artifact() -> None:
    """The error names the artifact and not only a byte."""
    digest = digest_of(b"\xff")
    artifact = Artifact.of_digest(digest, "text/plain", 1, home=MemoryHome({digest: b"\xff"}))
    with pytest.raises(ArtifactError, match=f"{digest} is not UTF-8 text"):
        artifact.text().wait()


def test_bytes_in_a_payload_get_the_hint_to_use_an_artifact() -> None:
    """Whoever tries to hand over raw bytes is told how."""
    with pytest.raises(UnserialisablePayload, match=r"Artifact\.write"):
        schema_of(bytes).dump(b"\xff\x00")
