"""Sealing and unsealing: the stored bytes, and that nothing is lost or mistaken on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.body import Spill, is_spilled, output_json, parts_of, spills_of
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.limits import SPILL_BYTES
from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.sealing import output_at, seal, seal_failure, select, unseal_output, whole_output
from segue.domain.envelope.sent import Trace
from segue.domain.envelope.usage import Attachment, Usage
from segue.errors import ArtifactError, InvalidPayload, PayloadTooLarge, UnserialisablePayload
from tests.unit.envelope.helpers import WHERE, Findings, across, spilled_contents, stored
from tests.unit.envelope.test_payload import JSON

RESERVED = [
    {"output": 1, "spilled": {"/a": {"uri": "segue://x"}}, "summary": "s", "summary_derived": True},
    {"spilled": {"": {"uri": "segue://sha256:0", "media_type": "a/b", "size": 1}}},
    {"error": {"kind": "a"}, "trace": {}, "segue": 1, "$ref": "#/x", "": None, "/": 1, "~": 2, "~1": 3},
    '"},"spilled":{"":{"uri":"x"}}',
    {'"output":': '}},"spilled":', "a\\": "\\"},
    [{"uri": "segue://sha256:" + "0" * 64, "media_type": "text/plain", "size": 1}],
]


class Wide(BaseModel):
    small: int
    large: str
    table: dict[str, list[int]] = {}


def test_the_body_starts_with_the_output_and_is_one_json_document() -> None:
    """A receiver cuts the output out by its size; everybody else reads the whole as JSON."""
    sealed = seal(Handoff(Findings(competitors=["é"]), summary="s"), schema_of(Findings), where=WHERE)
    assert sealed.body.startswith(b'{"output":')
    output = sealed.body[10 : 10 + sealed.output_size]
    assert json.loads(output) == json.loads(sealed.body)["output"]
    assert sealed.digest == digest_of(sealed.body)
    assert seal(1, schema_of(int), where=WHERE).body == b'{"output":1}'


def test_what_is_empty_is_not_written() -> None:
    """A plain value costs its own bytes and a dozen more."""
    sealed = seal(Handoff("x", summary=None, decisions=[], confidence=None), schema_of(str), where=WHERE)
    assert sealed.body == b'{"output":"x"}'
    assert sealed.artifacts == sealed.spilled == ()


def test_every_part_has_its_place() -> None:
    """The names of the parts are those of the documented form."""
    draft = Handoff(
        1,
        summary="s",
        confidence=0.5,
        decisions=["d"],
        constraints=["c"],
        artifacts=[Artifact("s3://a", "a/b", 1)],
        next_step="n",
        usage=Usage(model="m"),
        attachments=[Attachment("k", "a/b")],
    )
    sealed = seal(draft, schema_of(int), where=WHERE, trace=Trace("00-a", None))
    assert json.loads(sealed.body) == {
        "output": 1,
        "summary": "s",
        "confidence": 0.5,
        "decisions": ["d"],
        "constraints": ["c"],
        "artifacts": [{"uri": "s3://a", "media_type": "a/b", "size": 1}],
        "next_step": "n",
        "usage": {"model": "m"},
        "attachments": [
            {"kind": "k", "media_type": "a/b", "digest": None, "model_fingerprint": None, "data": None}
        ],
        "trace": {"traceparent": "00-a", "tracestate": None},
    }


@pytest.mark.parametrize("value", RESERVED, ids=str)
@pytest.mark.parametrize("spill_bytes", [SPILL_BYTES, 0], ids=["in place", "spilled"])
def test_a_payload_that_looks_like_an_envelope_stays_a_payload(value: Any, spill_bytes: int) -> None:
    """No key or text of a user can be taken for a part of the envelope, whether the output is spilled or not."""
    received = across(value, Any, spill_bytes=spill_bytes)
    assert received.output == value
    assert received.error is None
    assert received.summary_derived


@given(JSON, st.integers(0, 60))
def test_any_json_crosses_at_any_limit(value: Any, spill_bytes: int) -> None:
    """Whatever part of it is spilled, the receiver gets the value that was sent."""
    assert across(value, Any, spill_bytes=spill_bytes).output == value


@given(JSON, st.integers(0, 60))
def test_refilled_outputs_are_byte_for_byte_what_they_were(value: Any, spill_bytes: int) -> None:
    """Spilling and putting back is not a change, so the receiver validates the bytes that were validated before."""
    schema = schema_of(Any)
    sealed = seal(value, schema, where=WHERE, spill_bytes=spill_bytes)
    assert whole_output(stored(sealed).record, spilled_contents(sealed)) == schema.dump(value)


@given(st.text(), st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5), st.floats(0, 1))
def test_the_words_of_an_author_arrive_unchanged(
    summary: str, decisions: list[str], confidence: float
) -> None:
    """Any text that the profile allows is the same on the other side; any other is refused."""
    draft = Handoff(1, summary=summary, decisions=decisions, confidence=confidence)
    text = summary + "".join(decisions)
    if "\0" in text or (not summary.isascii() and _has_surrogates(summary)):
        with pytest.raises(UnserialisablePayload, match=r"^agent 'research': "):
            across(draft, int)
    else:
        received = across(draft, int)
        assert (received.summary, received.decisions, received.confidence) == (
            summary,
            tuple(decisions),
            confidence,
        )
        assert not received.summary_derived


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def test_large_fields_are_spilled_and_small_ones_stay() -> None:
    """The envelope keeps a pointer, a summary and the small fields; the receiver gets the whole value."""
    value = Wide(small=1, large="x" * 9000, table={"a": list(range(4000))})
    schema = schema_of(Wide)
    sealed = seal(value, schema, where=WHERE)
    record = stored(sealed).record
    assert json.loads(output_json(record)) == {"small": 1, "large": None, "table": None}
    assert [part.pointer for part in sealed.spilled] == ["/large", "/table"]
    assert sealed.artifacts == tuple(part.digest for part in sealed.spilled)
    assert all(digest_of(part.content) == part.digest for part in sealed.spilled)
    assert spills_of(record) == tuple(
        Spill(part.pointer, part.digest, len(part.content)) for part in sealed.spilled
    )
    assert len(sealed.body) < 1200
    received = across(value, Wide)
    assert received.output == value
    assert received.summary_derived
    assert received.summary.startswith("small: 1; large: xxx")


def test_the_limit_is_on_bytes_of_json_and_exact() -> None:
    """A value of exactly the limit stays, one byte more is spilled."""
    schema = schema_of(str)
    assert not is_spilled(stored(seal("x" * (SPILL_BYTES - 2), schema, where=WHERE)).record)
    assert is_spilled(stored(seal("x" * (SPILL_BYTES - 1), schema, where=WHERE)).record)


def test_many_middling_fields_are_spilled_as_a_whole() -> None:
    """Where no single field is too large but all together are, the whole output becomes one artifact."""
    value = {f"key {number}": "x" * 100 for number in range(200)}
    sealed = seal(value, schema_of(dict[str, str]), where=WHERE)
    assert [part.pointer for part in sealed.spilled] == [""]
    assert sealed.output_size == len(b"null")
    assert across(value, dict[str, str]).output == value


def test_what_is_spilled_must_be_there_to_be_read() -> None:
    """Without the bytes there is an error that names them, never a null in their place."""
    sealed = seal(Wide(small=1, large="x" * 9000), schema_of(Wide), where=WHERE)
    with pytest.raises(ArtifactError, match=sealed.spilled[0].digest):
        unseal_output(stored(sealed).record, schema_of(Wide))


def test_spilled_content_is_validated_on_receipt() -> None:
    """Bytes that fit when they were sent and do not fit the receiver's type are refused with the field."""

    class Narrow(BaseModel):
        large: int

    sealed = seal(Wide(small=1, large="x" * 9000), schema_of(Wide), where=WHERE)
    with pytest.raises(InvalidPayload, match="large: Input should be a valid integer"):
        unseal_output(stored(sealed).record, schema_of(Narrow), spilled_contents(sealed))


def test_the_summary_of_an_author_stays_when_the_output_is_spilled() -> None:
    """Only a missing summary is derived."""
    received = across(Handoff(Wide(small=1, large="x" * 9000), summary="all prices"), Wide)
    assert (received.summary, received.summary_derived) == ("all prices", False)


def test_artifacts_are_registered_once_each() -> None:
    """Those inside the output, those given beside it, and what was spilled; pointers elsewhere are not ours."""
    inside = Artifact.of_digest(digest_of(b"a"), "text/plain", 1)
    beside = Artifact.of_digest(digest_of(b"b"), "text/plain", 1)
    draft = Handoff(
        Findings(competitors=["x" * 9000], raw=inside), artifacts=[beside, inside, Artifact("s3://c")]
    )
    sealed = seal(draft, schema_of(Findings), where=WHERE)
    assert sealed.artifacts == (inside.digest, beside.digest, sealed.spilled[0].digest)


def test_required_decisions_are_required() -> None:
    """An agent that must say what it decided cannot leave it out, with a draft or without."""
    schema = schema_of(int)
    for result in (1, Handoff(1), Handoff(1, decisions=[])):
        with pytest.raises(InvalidPayload, match="must say which decisions"):
            seal(result, schema, where=WHERE, decisions_required=True)
    assert (
        seal(Handoff(1, decisions=["a"]), schema, where=WHERE, decisions_required=True).status == "complete"
    )


def test_an_envelope_over_the_limit_is_refused() -> None:
    """Only the output spills; a summary of a megabyte is a mistake and named as one."""
    with pytest.raises(PayloadTooLarge, match=r"agent 'research': the envelope has 1,\d{3},\d{3} bytes"):
        seal(Handoff(1, summary="x" * 1024 * 1024), schema_of(int), where=WHERE)


@pytest.mark.parametrize("data", [float("nan"), 2**70, "a\0", {"a": len}, "\ud800"], ids=repr)
def test_attachments_are_held_to_the_profile(data: Any) -> None:
    """They are passed on untouched, so nothing may be in them that some store would touch."""
    with pytest.raises(UnserialisablePayload, match=r"^agent 'research': "):
        seal(Handoff(1, attachments=[Attachment("k", data=data)]), schema_of(int), where=WHERE)


def test_a_failure_is_sealed_without_an_output() -> None:
    """The error takes the place of the output, in a body that any receiver can read."""
    sealed = seal_failure({"kind": "E", "message": "m", "traceback": None}, trace=Trace("00-a"))
    assert (sealed.status, sealed.output_size) == ("failed", 4)
    assert parts_of(stored(sealed).record)["error"] == {"kind": "E", "message": "m", "traceback": None}
    assert parts_of(stored(sealed).record)["trace"]["traceparent"] == "00-a"


VALUE = {"list": [{"a": 1}, "é"], "large": ["x" * 100, {"deep": [1, 2]}], "~/": "slash"}


@pytest.mark.parametrize(
    "path",
    [("list",), ("list", 0), ("list", 0, "a"), ("list", 1), ("large",), ("large", 1, "deep", 0), ("~/",)],
)
@pytest.mark.parametrize("spill_bytes", [10_000, 60, 3, 0], ids=["none", "one field", "all fields", "whole"])
def test_a_field_is_read_without_the_rest(path: tuple[str | int, ...], spill_bytes: int) -> None:
    """Only what is on the way to the field must be fetched, however the output is spilled."""
    sealed = seal(VALUE, schema_of(Any), where=WHERE, spill_bytes=spill_bytes)
    record = stored(sealed).record
    known = spilled_contents(sealed)
    needed = {spill.digest: known[spill.digest] for spill in spills_of(record, path)}
    wanted: Any = VALUE
    for key in path:
        wanted = wanted[key]
    assert json.loads(output_at(record, path, needed)) == wanted
    assert len(needed) <= 1


def test_a_whole_output_is_a_path_without_steps() -> None:
    """The empty path is the output itself, put together again."""
    sealed = seal(VALUE, schema_of(Any), where=WHERE, spill_bytes=60)
    assert json.loads(output_at(stored(sealed).record, (), spilled_contents(sealed))) == VALUE


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("missing",), "missing"),
        (("list", 7), r"list\[7\]"),
        (("list", "a"), "list.a"),
        (("list", 0, 0), r"list\[0\]\[0\]"),
        (("~/", 0), r"~/\[0\]"),
        (("list", 0, "a", "b"), "list.a.b|list.0..a.b"),
        ((0,), r"\[0\]"),
    ],
)
def test_a_field_that_is_not_there_is_named(path: tuple[str | int, ...], shown: str) -> None:
    """The path is shown up to the step that fails."""
    sealed = seal(VALUE, schema_of(Any), where=WHERE)
    with pytest.raises(InvalidPayload, match=f"task 'a': the output has no {shown}"):
        output_at(stored(sealed).record, path, where="task 'a'")


def test_keys_that_were_numbers_are_found() -> None:
    """In JSON every key is a string; a path may have the number that the type declares."""
    assert select(b'{"3":{"a":[7]}}', (3, "a", 0)) == b"7"


def test_negative_indexes_are_not_a_way_in() -> None:
    """A path means the same in every language."""
    with pytest.raises(InvalidPayload):
        select(b"[1,2]", (-1,))
