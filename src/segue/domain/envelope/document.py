"""
The public JSON form of a hand-off: all that it carries, in one document, for other programs and languages.

`handoff.schema.json` beside this file is its JSON Schema and docs/reference/handoff.md describes it. Fields
that this version does not know are ignored; a document of another format version is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from segue.domain.envelope.body import assemble, output_json, parts_of
from segue.domain.envelope.payload import canonical_json, digest_of, parse_json
from segue.domain.envelope.schema import errors_text
from segue.domain.envelope.sent import AgentRef, Origin
from segue.domain.envelope.summary import summary_of
from segue.domain.records import HandoffRecord, parse_task_name, task_name
from segue.domain.rows import StoredHandoff
from segue.errors import InvalidPayload

FORMAT_VERSION = 1

Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class AgentPart(_Part):
    """An agent by name and version."""

    agent: str
    version: str


class SchemaPart(_Part):
    """The schema of the output: the digest of its canonical JSON Schema, and the version declared for it."""

    id: str
    version: str


class PointerPart(_Part):
    """Bytes outside the document: `segue://sha256:…`, `s3://…`; the size in bytes, null if not known."""

    uri: str
    media_type: str
    size: Annotated[int, Field(ge=0)] | None


class SummaryPart(_Part):
    """The summary; `derived` if no author wrote it and it was made from the output without a model."""

    text: str
    derived: bool


class ContextPart(_Part):
    """The goal of the run; the constraints and decisions that this hand-off adds to those upstream."""

    goal: str | None
    constraints: tuple[str, ...]
    decisions: tuple[str, ...]


class UsagePart(_Part):
    """What a language model took, as far as it is known; `cost` in US dollars."""

    input_tokens: Annotated[int, Field(ge=0)] | None = None
    output_tokens: Annotated[int, Field(ge=0)] | None = None
    model: str | None = None
    cost: Annotated[float, Field(ge=0)] | None = None


class AttachmentPart(_Part):
    """Something typed beside the output; a receiver that does not know the kind passes it on untouched."""

    kind: str
    media_type: str
    digest: str | None = None
    model_fingerprint: str | None = None
    data: Any = None


class TracePart(_Part):
    """The W3C trace context."""

    traceparent: Annotated[str, Field(pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
    tracestate: str | None = None


class ErrorPart(_Part):
    """Why the task failed; secrets are taken out of both texts."""

    kind: str
    message: str
    traceback: str | None = None


class HandoffDocument(_Part):
    """
    A Segue hand-off.

    `spilled` says by JSON pointer which parts of `output` are null there and kept as bytes elsewhere. Times
    are RFC 3339 in UTC. `hops` are the names of the tasks on the way here.
    """

    segue: Literal[1]
    run: str
    task: str
    version: Annotated[int, Field(ge=1)]
    epoch: Annotated[int, Field(ge=0)]
    source: AgentPart
    targets: tuple[AgentPart, ...] = ()
    status: Literal["complete", "failed", "needs_review", "handed_on"]
    output: Any
    spilled: dict[str, PointerPart] = {}
    error: ErrorPart | None = None
    hand_to: dict[str, Any] | None = None
    """Of what was handed on: the agent that goes on with the task, how it is called, and the path so far."""
    summary: SummaryPart
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    next_step: str | None = None
    artifacts: tuple[PointerPart, ...] = ()
    registered: tuple[Digest, ...] = ()
    """Digests of all bytes that are kept with the hand-off, also those that its output points to."""
    context: ContextPart = ContextPart(goal=None, constraints=(), decisions=())
    usage: UsagePart | None = None
    attachments: tuple[AttachmentPart, ...] = ()
    started_at: AwareDatetime
    completed_at: AwareDatetime
    schema_: Annotated[SchemaPart, Field(alias="schema")]
    trace: TracePart | None = None
    hops: tuple[str, ...] = ()
    deadline: AwareDatetime | None = None


def document_schema() -> dict[str, Any]:
    """The JSON Schema of the document; `handoff.schema.json` is its text."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:segue:handoff:{FORMAT_VERSION}",
        **HandoffDocument.model_json_schema(),
    }


def to_document(stored: StoredHandoff, origin: Origin) -> dict[str, Any]:
    """The document of a stored hand-off; parts of the output that were spilled stay pointers."""
    record = stored.record
    parts = parts_of(record)
    text, derived = summary_of(record, parts)
    return {
        "segue": FORMAT_VERSION,
        "run": stored.run,
        "task": task_name(stored.node, stored.item),
        "version": record.version,
        "epoch": stored.epoch,
        "source": origin.source._asdict(),
        "targets": [target._asdict() for target in origin.targets],
        "status": record.status,
        "output": from_json(output_json(record)),
        "spilled": parts.get("spilled", {}),
        "error": parts.get("error"),
        "hand_to": parts.get("hand_to"),
        "summary": {"text": text, "derived": derived},
        "confidence": parts.get("confidence"),
        "next_step": parts.get("next_step"),
        "artifacts": parts.get("artifacts", []),
        "registered": list(record.artifacts),
        "context": {
            "goal": origin.goal,
            "constraints": parts.get("constraints", []),
            "decisions": parts.get("decisions", []),
        },
        "usage": parts.get("usage"),
        "attachments": parts.get("attachments", []),
        "started_at": _time_text(record.started_at),
        "completed_at": _time_text(record.completed_at),
        "schema": {"id": record.schema, "version": origin.schema_version},
        "trace": parts.get("trace", origin.trace and {"traceparent": origin.trace}),
        "hops": list(origin.hops),
        "deadline": None if origin.deadline is None else _time_text(origin.deadline),
    }


def from_document(
    document: Mapping[str, Any] | str | bytes, *, where: str = "the document"
) -> tuple[StoredHandoff, Origin]:
    """
    The stored form of a document, which `sealing.unseal` reads with the schema of its output.

    Raises InvalidPayload or UnserialisablePayload, naming the field.
    """
    try:
        text = canonical_json(document) if isinstance(document, Mapping) else document
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayload(f"{where}: the value is not JSON: {error}") from None
    value = parse_json(text, where)
    version = value.get("segue") if isinstance(value, dict) else None
    if version != FORMAT_VERSION:
        raise InvalidPayload(
            f"{where}: the format version is {version!r}, this Segue reads {FORMAT_VERSION}",
            remedy='A hand-off document begins with {"segue": 1, ...}; see docs/reference/handoff.md.',
        )
    try:
        checked = HandoffDocument.model_validate_json(text)
    except ValidationError as error:
        raise InvalidPayload(
            f"{where}: it is not a hand-off: {errors_text(error)}", remedy="See docs/reference/handoff.md."
        ) from None
    return _stored(checked, where), _origin(checked)


def _stored(document: HandoffDocument, where: str) -> StoredHandoff:
    output = to_json(document.output)
    parts = _parts(document)
    body = assemble(output, to_json(parts) if parts else b"{}")
    try:
        node, item = parse_task_name(document.task)
    except ValueError as error:
        raise InvalidPayload(f"{where}: {error}") from None
    record = HandoffRecord(
        version=document.version,
        status=document.status,
        body=body,
        output_size=len(output),
        digest=digest_of(body),
        schema=document.schema_.id,
        started_at=document.started_at.timestamp(),
        completed_at=document.completed_at.timestamp(),
        artifacts=document.registered,
    )
    return StoredHandoff(document.run, node, item, document.epoch, record)


def _parts(document: HandoffDocument) -> dict[str, Any]:
    """What stands in the body beside the output, in the order in which sealing writes it."""
    context = document.context
    parts = {
        "spilled": {pointer: part.model_dump() for pointer, part in document.spilled.items()},
        "summary": document.summary.text,
        "summary_derived": document.summary.derived,
        "confidence": document.confidence,
        "decisions": context.decisions,
        "constraints": context.constraints,
        "artifacts": [part.model_dump() for part in document.artifacts],
        "next_step": document.next_step,
        "usage": None if document.usage is None else document.usage.model_dump(exclude_none=True),
        "attachments": [part.model_dump() for part in document.attachments],
        "trace": None if document.trace is None else document.trace.model_dump(),
        "error": None if document.error is None else document.error.model_dump(),
        "hand_to": document.hand_to,
    }
    return {name: part for name, part in parts.items() if not _is_empty(part)}


def _is_empty(part: Any) -> bool:
    return part is None or part is False or (isinstance(part, tuple | list | dict) and not part)


def _origin(document: HandoffDocument) -> Origin:
    return Origin(
        source=AgentRef(document.source.agent, document.source.version),
        targets=tuple(AgentRef(target.agent, target.version) for target in document.targets),
        schema_version=document.schema_.version,
        goal=document.context.goal,
        hops=document.hops,
        deadline=None if document.deadline is None else document.deadline.timestamp(),
    )


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
