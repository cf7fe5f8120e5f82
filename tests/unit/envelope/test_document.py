"""The public JSON form: documented, described by a schema, and the same after a round trip."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import segue.domain.envelope
from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.document import HandoffDocument, document_schema, from_document, to_document
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.payload import canonical_json, digest_of
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.sealing import seal, seal_failure, unseal
from segue.domain.envelope.sent import AgentRef, Origin, Trace
from segue.domain.envelope.usage import Attachment, Usage
from segue.errors import InvalidPayload, PayloadError, UnserialisablePayload
from tests.unit.envelope.helpers import ORIGIN, WHERE, Findings, spilled_contents, stored
from tests.unit.envelope.test_payload import JSON, NOT_JSON, REFUSED

ROOT = Path(__file__).parents[3]
VECTOR = (ROOT / "tests/vectors/handoff.json").read_text()
TRACE = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def again(document: dict[str, Any]) -> dict[str, Any]:
    """A document that was read and written once more."""
    return to_document(*from_document(document))


def example() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(VECTOR)
    return loaded


def test_the_example_survives_a_round_trip_byte_for_byte() -> None:
    """What was read is written again without a change, in the canonical text."""
    assert canonical_json(to_document(*from_document(VECTOR))) == canonical_json(example())
    assert canonical_json(to_document(*from_document(VECTOR.encode()))) == canonical_json(example())


def test_the_documentation_shows_the_example() -> None:
    """The page has the very text that the test above loads, and a row for every field."""
    page = (ROOT / "docs/reference/handoff.md").read_text()
    assert f"```json\n{VECTOR}```" in page
    rows = " ".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE))
    missing = set(example()) - set(re.findall(r"`(\w+)`", rows)) - {"epoch"}
    assert not missing
    required = set(document_schema()["required"])
    [sentence] = re.findall(r"the required ones are\s(.*?)\. A reader ignores", page, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == required


def test_the_shipped_schema_is_that_of_the_code() -> None:
    """The file in the package is generated: write json.dumps(document_schema(), indent=2) to it after a change."""
    shipped = (Path(segue.domain.envelope.__file__).parent / "handoff.schema.json").read_text()
    assert shipped == json.dumps(document_schema(), indent=2, ensure_ascii=False) + "\n"


def test_the_example_uses_every_field_of_the_schema() -> None:
    """A field that is added must be shown."""
    assert set(example()) == set(document_schema()["properties"])
    for name, value in example().items():
        assert value is not None or name in ("error", "hand_to")


def test_the_example_reads_as_a_hand_off() -> None:
    """With the bytes of what was spilled, a receiver has the typed value and everything around it."""
    stored_handoff, origin = from_document(VECTOR)
    contents = {example()["registered"][1]: b'"the notes"'}
    received = unseal(stored_handoff, schema_of(Any), lambda: origin, contents)
    assert received.output["notes"] == "the notes"
    assert received.output["competitors"][2] == "Çelik"
    assert received.summary == "Three competitors, two with pricing data"
    assert not received.summary_derived
    assert received.usage == Usage(1200, 80, "small-1", 0.0021)
    assert received.attachments[0].data == {"layers": 24}
    assert received.sent.source == AgentRef("research", "3")
    assert received.sent.pointer == "segue://01980f6e-5a3c-7c51-9d2e-3f4b5a6c7d8e/research[2]@1"
    assert received.sent.deadline is not None
    assert received.sent.deadline.isoformat() == "2026-03-01T09:35:00+00:00"


@pytest.mark.parametrize(
    "result",
    [
        Findings(competitors=["é"], raw=Artifact.of_digest(digest_of(b"a"), "text/plain", 1)),
        Handoff(Findings(competitors=[]), confidence=0.0, summary="", next_step="", decisions=[""]),
        Handoff(Findings(competitors=["x" * 9000]), summary="large"),
        Findings(competitors=["x" * 9000]),
        Handoff(Findings(competitors=["x"] * 5000), attachments=[Attachment("k", data=[None, {}])]),
        Handoff(None, status="failed"),
        Handoff(Findings(competitors=[]), status="needs_review", usage=Usage()),
    ],
    ids=["plain", "zeroes", "spilled", "spilled and derived", "attached", "failed", "review"],
)
def test_every_kind_of_hand_off_has_a_document(result: Any) -> None:
    """The document fits the schema's model, survives a round trip, and means the same to a receiver."""
    schema = schema_of(Findings)
    sealed = seal(result, schema, where=WHERE, trace=TRACE)
    row = stored(sealed, schema)
    document = to_document(row, ORIGIN)
    HandoffDocument.model_validate(document)
    assert canonical_json(again(document)) == canonical_json(document)
    row_again, origin_again = from_document(document)
    assert origin_again == ORIGIN
    before = unseal(row, schema, lambda: ORIGIN, spilled_contents(sealed))
    after = unseal(row_again, schema, lambda: origin_again, spilled_contents(sealed))
    for name in ("output", "status", "summary", "summary_derived", "confidence", "decisions", "next_step"):
        assert getattr(after, name) == getattr(before, name), name
    for name in ("run", "task", "version", "epoch", "targets", "schema", "started_at", "trace", "deadline"):
        assert getattr(after.sent, name) == getattr(before.sent, name), name


def test_a_failure_has_a_document() -> None:
    """The error crosses too, and its summary stays marked as derived."""
    row = stored(seal_failure({"kind": "KeyError", "message": "'a'", "traceback": "T"}))
    document = to_document(row, ORIGIN)
    assert document["error"] == {"kind": "KeyError", "message": "'a'", "traceback": "T"}
    assert document["summary"] == {"text": "KeyError: 'a'", "derived": True}
    assert canonical_json(again(document)) == canonical_json(document)


@given(JSON, st.floats(0, 4e9), st.none() | st.floats(0, 4e9))
def test_any_output_and_any_time_survive(output: Any, at: float, deadline: float | None) -> None:
    """Outputs of any shape, and times to the microsecond."""
    row = stored(seal(output, schema_of(Any), where=WHERE))
    row = row._replace(record=row.record._replace(started_at=at, completed_at=at))
    document = to_document(row, Origin(AgentRef("a", "1"), deadline=deadline))
    assert canonical_json(again(document)) == canonical_json(document)


def test_absent_fields_are_empty_and_unknown_ones_are_ignored() -> None:
    """A minimal document of another writer, and one of a later version of this one, can be read."""
    required = document_schema()["required"]
    minimal = {name: value for name, value in example().items() if name in required}
    minimal["task"] = "research"
    document = again(minimal | {"mood": "good", "summary": {"text": "s", "derived": False, "language": "en"}})
    assert document["targets"] == document["attachments"] == document["hops"] == []
    assert document["context"] == {"goal": None, "constraints": [], "decisions": []}
    assert document["deadline"] is document["usage"] is document["trace"] is None
    assert "mood" not in document
    assert set(document) == set(example())


BROKEN: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("version", lambda d: d.update(segue=2), "format version is 2, this Segue reads 1"),
    ("no version", lambda d: d.pop("segue"), "format version is None"),
    ("no run", lambda d: d.pop("run"), "run: Field required"),
    ("confidence", lambda d: d.update(confidence=1.2), "confidence: .*less than or equal to 1"),
    ("status", lambda d: d.update(status="done"), "status: "),
    ("time", lambda d: d.update(started_at="2026-03-01T09:30:00"), "started_at: .*timezone"),
    ("epoch", lambda d: d.update(epoch=-1), "epoch: "),
    ("task", lambda d: d.update(task="a[b]"), "'a\\[b\\]' is not the name of a task"),
    ("trace", lambda d: d["trace"].update(traceparent="x"), "trace.traceparent: "),
    ("digest", lambda d: d.update(registered=["sha256:x"]), r"registered\[0\]: "),
    ("decisions", lambda d: d["context"].update(decisions="a"), "context.decisions: "),
]


@pytest.mark.parametrize(
    ("change", "message"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN]
)
def test_a_document_that_is_no_hand_off_is_refused(
    change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    """The error names the document, the field and what belongs there."""
    document = example()
    change(document)
    with pytest.raises(InvalidPayload, match=rf"^handoff\.json: .*{message}"):
        from_document(document, where="handoff.json")


@pytest.mark.parametrize("data", NOT_JSON + REFUSED, ids=lambda data: repr(data[:40]))
def test_hostile_text_gets_the_verdict_of_the_profile(data: bytes) -> None:
    """What may not be in a payload may not be in a document, wherever it stands."""
    text = VECTOR.encode().replace(b'"Acme"', data, 1)
    with pytest.raises(PayloadError):
        from_document(text)


@pytest.mark.parametrize("output", [float("nan"), len, "\ud800", 2**64], ids=repr)
def test_hostile_values_get_the_verdict_of_the_profile(output: Any) -> None:
    """A document given as a dict is held to the same rules as text."""
    with pytest.raises((InvalidPayload, UnserialisablePayload)):
        from_document({**example(), "output": output})


@pytest.mark.parametrize("text", ["[]", "1", "null", '"a"'])
def test_json_that_is_no_object_is_no_document(text: str) -> None:
    """The error says what a document begins with."""
    with pytest.raises(InvalidPayload, match=r'begins with \{"segue": 1'):
        from_document(text)
