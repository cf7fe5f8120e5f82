"""The hand-off that authors write and receivers read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.handoff import Handoff, Ref
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.sealing import context_of, refer, seal, seal_failure, unseal
from segue.domain.envelope.sent import Context, SchemaRef, Trace
from segue.domain.envelope.usage import Attachment, Usage
from segue.domain.envelope.waiting import Waitable
from segue.domain.records import SINGLE, HandoffRecord
from segue.domain.rows import StoredHandoff
from segue.errors import InvalidPayload, NoAttemptError
from tests.unit.envelope.helpers import ORIGIN, WHERE, Findings, across, block, spilled_contents, stored

FOUND = Findings(competitors=["Acme", "Bolt"], score=0.5)
TRACE = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1")


def full() -> Handoff[Findings]:
    return Handoff(
        FOUND,
        summary="Two competitors",
        confidence=0.87,
        decisions=["excluded freemium tiers"],
        constraints=["prices in EUR"],
        artifacts=[Artifact("s3://bucket/raw.json", "application/json", 12)],
        next_step="check the prices",
        status="needs_review",
        usage=Usage(input_tokens=1200, output_tokens=80, model="small-1", cost=0.002),
        attachments=[
            Attachment("kv-cache", "application/x-kv", "sha256:1", "model-f00", {"layers": [1, None]})
        ],
    )


def test_everything_that_an_author_gives_arrives() -> None:
    """Each part of the envelope is the same on the other side."""
    sent, received = full(), across(full(), Findings)
    for name in (
        "output",
        "summary",
        "summary_derived",
        "confidence",
        "decisions",
        "constraints",
        "artifacts",
        "next_step",
        "status",
        "usage",
        "attachments",
    ):
        assert getattr(received, name) == getattr(sent, name), name
    assert received.error is None


def test_a_plain_value_is_wrapped_and_nothing_is_invented() -> None:
    """Status and a derived summary, marked as such; everything else stays empty."""
    received = across(FOUND, Findings)
    assert received.output == FOUND
    assert received.status == "complete"
    assert received.summary_derived
    assert received.summary == "competitors: 2 items (Acme, Bolt); notes: {}; score: 0.5; raw: none"
    assert (received.confidence, received.next_step, received.usage) == (None, None, None)
    empty: tuple[Any, ...] = ()
    assert received.decisions == received.constraints == received.artifacts == received.attachments == empty


def test_a_draft_and_its_receiver_derive_the_same_summary() -> None:
    """An author that looks at the summary sees what the receiver will see."""
    draft = Handoff(FOUND)
    assert (draft.summary, draft.summary_derived) == (across(FOUND, Findings).summary, True)
    assert across(draft, Findings).summary_derived


@pytest.mark.parametrize("confidence", [1.2, -0.01, float("nan"), float("inf"), True, "0.5", 10**400])
def test_a_confidence_outside_0_to_1_is_refused_at_once(confidence: Any) -> None:
    """The error has the value and the range, in the line where the mistake was made."""
    with pytest.raises(InvalidPayload, match=r"confidence is .*; it must be a number from 0 to 1"):
        Handoff(1, confidence=confidence)


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 0.5, 1.0])
def test_the_ends_of_the_range_are_confidences(confidence: float) -> None:
    """0 is a statement and not the same as saying nothing."""
    received = across(Handoff(1, confidence=confidence), int)
    assert received.confidence == confidence
    assert isinstance(received.confidence, float)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("status", "done", "status is 'done'; it must be one of complete, failed, needs_review"),
        ("summary", 3, "summary is 3; it must be a string"),
        ("next_step", ["a"], "next_step is"),
        ("decisions", "no freemium", "decisions is the string 'no freemium'; it must be a list"),
        ("decisions", ["a", 1], "decisions holds 1; it must be a list of strings"),
        ("constraints", [None], "constraints holds None"),
        ("artifacts", ["s3://a"], "artifacts holds 's3://a'; it must be a list of Artifact values"),
        ("attachments", [{}], "attachments holds {}"),
        ("usage", {"model": "m"}, r"it must be a Usage\(\.\.\.\)"),
    ],
)
def test_other_mistakes_are_refused_at_once(field: str, value: Any, message: str) -> None:
    """Each error names the field, the value and what belongs there."""
    with pytest.raises(InvalidPayload, match=message):
        Handoff(1, **{field: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"input_tokens": -1},
        {"output_tokens": 1.5},
        {"input_tokens": True},
        {"cost": float("nan")},
        {"cost": -0.1},
        {"cost": "free"},
        {"model": 4},
    ],
    ids=str,
)
def test_usage_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    """What is counted wrongly would be added up wrongly."""
    with pytest.raises(InvalidPayload, match=next(iter(fields))):
        Usage(**fields)


def test_attachments_are_named_in_text() -> None:
    """The kind decides who looks at it, so it must be there."""
    with pytest.raises(InvalidPayload, match="kind of an attachment is None"):
        Attachment(None)  # type: ignore[arg-type]


def test_a_hand_off_cannot_be_changed() -> None:
    """Neither a draft nor what was received: every receiver sees the same."""
    for handoff in (full(), across(full(), Findings)):
        with pytest.raises(AttributeError, match="cannot be changed"):
            handoff.confidence = 1.0
        with pytest.raises(AttributeError, match="cannot be changed"):
            del handoff.output
        with pytest.raises(AttributeError):
            handoff.extra = 1  # type: ignore[attr-defined]


def test_sent_says_where_a_hand_off_comes_from() -> None:
    """All of it is there for a receiver, in the types that people expect."""
    schema = schema_of(Findings)
    sealed = seal(full(), schema, where=WHERE, trace=TRACE)
    sent = unseal(stored(sealed, schema), schema, lambda: ORIGIN).sent
    assert (sent.run, sent.task, sent.version, sent.epoch) == ("run-1", "research", 2, 4)
    assert (sent.source, sent.targets) == (ORIGIN.source, ORIGIN.targets)
    assert sent.schema == SchemaRef(schema.fingerprint, "3")
    assert sent.started_at == datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC)
    assert sent.completed_at == datetime(2023, 11, 14, 22, 13, 21, 500_000, UTC)
    assert sent.deadline == datetime(2027, 1, 15, 8, 0, 0, 500_000, UTC)
    assert (sent.trace, sent.hops, sent.goal) == (TRACE, ("plan", "research"), "Compare pricing")
    assert (sent.digest, sent.size_bytes) == (sealed.digest, len(sealed.body))
    assert sent.pointer == "segue://run-1/research@2"


def test_items_of_a_mapped_task_have_names_of_their_own() -> None:
    """The pointer tells the items apart."""
    sealed = seal(1, schema_of(int), where=WHERE)
    row = stored(sealed)._replace(item=3)
    assert unseal(row, schema_of(int), lambda: ORIGIN).sent.pointer == "segue://run-1/research[3]@2"


def test_where_it_comes_from_is_only_asked_for_when_somebody_looks() -> None:
    """A receiver of the output alone does not pay for it, and one that looks twice pays once."""
    asked = []
    sealed = seal(1, schema_of(int), where=WHERE)
    received = unseal(stored(sealed), schema_of(int), lambda: asked.append(1) or ORIGIN)
    assert received.output == 1
    assert not asked
    assert received.sent is received.sent
    assert asked == [1]


def test_what_is_handed_on_keeps_who_wrote_its_summary() -> None:
    """A received hand-off returned as it came: a summary that was derived does not become the author's."""
    kept = seal([[number] for number in range(9)], schema_of(Any), where=WHERE, spill_bytes=8)
    received = unseal(stored(kept), schema_of(Any), lambda: ORIGIN, spilled_contents(kept))
    assert received.summary_derived
    assert across(received, Any).summary_derived
    written = across(Handoff(1, summary="one"), int)
    assert (across(written, int).summary, across(written, int).summary_derived) == ("one", False)


def test_a_draft_has_not_been_sent() -> None:
    """`sent`, `context` and `upstream` are errors on a draft, never None."""
    for look in (lambda: full().sent, lambda: full().context, lambda: full().upstream()):
        with pytest.raises(NoAttemptError, match="is a draft"):
            look()


async def test_context_has_the_goal_and_upstream_the_rest() -> None:
    """The own decisions are at hand; those before are fetched, and stored nowhere twice."""
    schema = schema_of(int)
    rows = [
        stored(seal(Handoff(1, decisions=["a", "b"], constraints=["c"]), schema, where=WHERE)),
        stored(seal(2, schema, where=WHERE)),
        stored(seal(Handoff(3, decisions=["b", "d"]), schema, where=WHERE)),
    ]

    async def start() -> Context:
        return context_of(rows, "Compare pricing")

    received = unseal(rows[2], schema, lambda: ORIGIN, upstream=lambda: Waitable(start, block))
    assert received.context == Context("Compare pricing", (), ("b", "d"))
    assert await received.upstream() == Context("Compare pricing", ("c",), ("a", "b", "d"))
    assert b'"a"' not in rows[2].record.body


def test_a_hand_off_that_was_not_read_from_a_store_has_no_upstream() -> None:
    """The error says why."""
    with pytest.raises(NoAttemptError, match="not read from a store"):
        across(1, int).upstream()


def test_a_failed_task_leaves_a_hand_off_that_says_why() -> None:
    """A receiver that does without the output still sees the error, and the summary tells it."""
    sealed = seal_failure({"kind": "KeyError", "message": "'price'", "traceback": "Traceback ..."})
    received = unseal(stored(sealed), schema_of(Findings), lambda: ORIGIN)
    assert (received.status, received.output) == ("failed", None)
    assert received.error is not None
    assert (received.error.kind, received.error.message) == ("KeyError", "'price'")
    assert (received.summary, received.summary_derived) == ("KeyError: 'price'", True)


def test_an_author_may_say_that_it_failed() -> None:
    """With an output that fits, or with none at all; an output that does not fit stays an error."""
    assert across(Handoff(None, status="failed", summary="no prices"), Findings).output is None
    assert across(Handoff(FOUND, status="failed"), Findings).output == FOUND
    with pytest.raises(InvalidPayload, match="does not fit Findings"):
        across(Handoff(None, status="needs_review"), Findings)


async def test_a_reference_has_the_summary_and_fetches_the_rest() -> None:
    """What a prompt needs is there at once; the output is read when it is asked for."""
    row = stored(seal(full(), schema_of(Findings), where=WHERE))
    fetched = []

    async def start() -> Findings:
        fetched.append(1)
        return FOUND

    reference: Ref[Findings] = refer(row, lambda: ORIGIN, Waitable(start, block))
    assert (reference.summary, reference.confidence) == ("Two competitors", 0.87)
    assert reference.pointer == reference.sent.pointer == "segue://run-1/research@2"
    assert not fetched
    assert await reference.fetch() == FOUND
    with pytest.raises(AttributeError):
        reference.summary = "other"  # type: ignore[misc]
    assert repr(reference) == "<Ref segue://run-1/research@2: 'Two competitors'>"


def test_a_hand_off_shows_what_it_is() -> None:
    """In a debugger and a log line: status, where from, summary."""
    assert repr(full()) == "<Handoff needs_review: 'Two competitors'>"
    assert repr(across(full(), Findings)) == (
        "<Handoff needs_review from segue://run-1/research@2: 'Two competitors'>"
    )


def test_a_stored_hand_off_of_another_shape_is_refused() -> None:
    """Bytes whose output does not fit the receiver's type raise before an agent could run."""
    body = b'{"output":{"rivals":[]}}'
    record = HandoffRecord(1, "complete", body, 13, "sha256:0", "sha256:0", 0.0, 0.0, ())
    with pytest.raises(InvalidPayload, match="competitors: Field required"):
        unseal(StoredHandoff("r", "a", SINGLE, 1, record), schema_of(Findings), lambda: ORIGIN)
