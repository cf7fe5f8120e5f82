"""
Sealing: from what an agent returned to the bytes that are stored; unsealing: back again.

Both check the output against its schema. A large output, or a large top-level field of it, is spilled: its
JSON becomes an artifact of its own and null stands in its place. Which ones are spilled is written beside the
output and not into it, so that no output can be mistaken for a pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from segue.domain.envelope.artifact import Artifact, ArtifactHome
from segue.domain.envelope.body import (
    Written,
    assemble,
    output_json,
    parts_of,
    pointer_of,
    spills_of,
    whole_output_json,
)
from segue.domain.envelope.handoff import Handoff, Parts, Received, Ref, receive
from segue.domain.envelope.limits import BODY_LIMIT_BYTES, SPILL_BYTES
from segue.domain.envelope.payload import check_text, digest_of, parse_json
from segue.domain.envelope.schema import Schema
from segue.domain.envelope.sent import Context, Failure, Origin, Trace
from segue.domain.envelope.summary import summarise
from segue.domain.envelope.waiting import Waitable
from segue.domain.records import HandoffRecord, task_name
from segue.domain.rows import StoredHandoff
from segue.errors import ArtifactError, InvalidPayload, PayloadTooLarge, UnserialisablePayload

T = TypeVar("T")

_NULL = b"null"
_NOTHING: Mapping[str, bytes] = {}


class Spilled(NamedTuple):
    """JSON that must be put into the artifact store before the hand-off is settled."""

    pointer: str
    digest: str
    content: bytes
    media_type: str = "application/json"


class Sealed(NamedTuple):
    """A hand-off ready to be stored; `artifacts` are the digests to register, those spilled included."""

    body: bytes
    output_size: int
    digest: str
    schema: str
    """The fingerprint of the output's schema; empty for the failure of a task, which has no output."""
    status: str
    artifacts: tuple[str, ...]
    spilled: tuple[Spilled, ...]


def seal(
    result: Any,
    schema: Schema[Any],
    *,
    where: str,
    decisions_required: bool = False,
    spill_bytes: int = SPILL_BYTES,
    trace: Trace | None = None,
    agent: str | None = None,
) -> Sealed:
    """
    Seal what an agent returned: a `Handoff` draft, or a plain value, for which nothing is invented.

    `where` names the agent and begins every error; `agent` is written down where it is not the one that the graph
    calls. Raises InvalidPayload, UnserialisablePayload, PayloadTooLarge.
    """
    draft = result if isinstance(result, Handoff) else None
    value = result if draft is None else draft.output
    status = "complete" if draft is None else draft.status
    found: list[Artifact] = []
    is_empty = status == "failed" and value is None
    output = _NULL if is_empty else schema.dump(value, found, where=where)
    return seal_json(
        output,
        draft,
        found,
        schema=schema.fingerprint,
        status=status,
        where=where,
        decisions_required=decisions_required,
        spill_bytes=spill_bytes,
        trace=trace,
        agent=agent,
    )


def seal_json(
    output: bytes,
    draft: Handoff[Any] | None,
    found: list[Artifact],
    *,
    status: str,
    where: str,
    schema: str = "",
    decisions_required: bool = False,
    spill_bytes: int = SPILL_BYTES,
    trace: Trace | None = None,
    agent: str | None = None,
    hand_to: Mapping[str, Any] | None = None,
) -> Sealed:
    """The same for an output that is JSON already, with the artifacts `found` in it and its schema's fingerprint."""
    if decisions_required and not (draft is not None and draft.decisions):
        raise InvalidPayload(
            f"{where}: the hand-off must say which decisions were made",
            remedy='Return Handoff(output, decisions=["..."]), or drop decisions="required".',
        )
    parts: dict[str, Any] = {}
    spilled: tuple[Spilled, ...] = ()
    if len(output) > spill_bytes:
        output, spilled, parts = _spill(output, spill_bytes)
    if draft is not None:
        given = draft.parts
        _add_parts(parts, given)
        found += given.artifacts
    if trace is not None:
        parts["trace"] = trace._asdict()
    if agent is not None:
        parts["agent"] = agent
    if hand_to is not None:
        parts["hand_to"] = hand_to
    artifacts: tuple[str, ...] = ()
    if found or spilled:
        digests = [artifact.digest for artifact in found] + [part.digest for part in spilled]
        artifacts = tuple(dict.fromkeys(digest for digest in digests if digest is not None))
    body = assemble(output, _parts_json(parts, where)) if parts else assemble(output, b"{}")
    if len(body) > BODY_LIMIT_BYTES:
        raise PayloadTooLarge(
            f"{where}: the envelope has {len(body):,} bytes, the limit is {BODY_LIMIT_BYTES:,}",
            remedy="Put large content into the output, which spills by itself, or into an Artifact.",
        )
    return Sealed(body, len(output), digest_of(body), schema, status, artifacts, spilled)


def seal_failure(
    error: Mapping[str, Any], *, trace: Trace | None = None, agent: str | None = None, status: str = "failed"
) -> Sealed:
    """
    Seal the failure of a task, as `seal` does: no output, and why, as `redaction.format_error` tells it; what else the
    task keeps of its reason stays with the task. One that a person is to decide on has the status `needs_review`.
    """
    parts: dict[str, Any] = {"error": {name: error[name] for name in Failure._fields if name in error}}
    if trace is not None:
        parts["trace"] = trace._asdict()
    if agent is not None:
        parts["agent"] = agent
    body = assemble(_NULL, to_json(parts))
    return Sealed(body, len(_NULL), digest_of(body), "", status, (), ())


def unseal_output(
    record: HandoffRecord,
    schema: Schema[T],
    contents: Mapping[str, bytes] = _NOTHING,
    home: ArtifactHome | None = None,
    *,
    where: str = "a hand-off",
) -> T:
    """
    The output of a stored hand-off, checked against the receiver's schema.

    `contents` has the bytes of what was spilled (`spills_of`) by digest. Artifacts in the output remember
    `home`. Raises InvalidPayload if the output does not fit, ArtifactError if spilled content is not given.
    """
    return schema.load(whole_output(record, contents), home, where=where)


def unseal(
    stored: StoredHandoff,
    schema: Schema[T],
    origin: Callable[[], Origin],
    contents: Mapping[str, bytes] = _NOTHING,
    home: ArtifactHome | None = None,
    *,
    upstream: Callable[[], Waitable[Context]] | None = None,
    path: tuple[str | int, ...] = (),
) -> Handoff[T]:
    """
    The whole envelope, its output checked as by `unseal_output`; None if the task failed without one.

    With a `path` the output is what is there in it: one of the arguments that were handed on.

    `origin` is asked only when the receiver looks at `sent`; `upstream` gives what `Handoff.upstream()` returns.
    """
    record = stored.record
    document = output_at(record, path, contents) if path else whole_output(record, contents)
    if record.status == "failed" and document == _NULL:
        output = cast(T, None)
    else:
        try:
            output = schema.load(document, home)
        except InvalidPayload:  # once more, for an error that names the place
            where = f"the hand-off of {task_name(stored.node, stored.item)}"
            output = schema.load(document, home, where=where)
    return receive(output, Received(stored, origin, upstream, home))


def refer(stored: StoredHandoff, origin: Callable[[], Origin], fetch: Waitable[T]) -> Ref[T]:
    """A reference to a stored hand-off; `fetch` reads its output when the receiver asks for it."""
    return Ref(receive(None, Received(stored, origin, None, None)), fetch)


def whole_output(record: Written, contents: Mapping[str, bytes] = _NOTHING) -> bytes:
    """The JSON of the output, what was spilled put back from `contents` by digest. Raises ArtifactError."""
    output = whole_output_json(record)
    if output is not None:
        return output
    refills = {spill.pointer: _content(contents, spill.digest) for spill in spills_of(record)}
    if "" in refills:
        return refills[""]
    fields = (
        b"%b:%b" % (to_json(key), refills.get(pointer_of(key)) or to_json(value))
        for key, value in from_json(output_json(record)).items()
    )
    return b"{%b}" % b",".join(fields)


def output_at(
    record: HandoffRecord,
    path: tuple[str | int, ...],
    contents: Mapping[str, bytes] = _NOTHING,
    *,
    where: str = "a hand-off",
) -> bytes:
    """
    The JSON of one field of the output, to be read with the schema of that field.

    `contents` has what `spills_of(record, path)` names. Raises InvalidPayload if there is no such field.
    """
    if not path:
        return whole_output(record, contents)
    for spill in spills_of(record, path):
        content = _content(contents, spill.digest)
        below = path[1:] if spill.pointer else path
        return select(content, below, where=where) if below else content
    return select(output_json(record), path, where=where)


def select(data: bytes, path: tuple[str | int, ...], *, where: str = "a value") -> bytes:
    """The JSON at a path of keys and indexes inside other JSON. Raises InvalidPayload if there is nothing."""
    value = from_json(data)
    for depth, key in enumerate(path):
        try:
            value = _step(value, key)
        except LookupError:
            steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[: depth + 1])
            raise InvalidPayload(
                f"{where}: the output has no {''.join(steps).lstrip('.')}",
                remedy="An optional part can be missing: hand over the whole output and look there.",
            ) from None
    return to_json(value)


def _step(value: Any, key: str | int) -> Any:
    """One step into plain JSON data, whose keys are strings and whose indexes count from the start."""
    if isinstance(value, dict):
        return value[str(key)]
    if isinstance(value, list) and isinstance(key, int) and key >= 0:
        return value[key]
    raise LookupError


def context_of(handoffs: Iterable[StoredHandoff], goal: str | None) -> Context:
    """The context that hand-offs add up to, given the oldest first: each constraint and decision once."""
    constraints: dict[str, None] = {}
    decisions: dict[str, None] = {}
    for stored in handoffs:
        parts = parts_of(stored.record)
        constraints.update(dict.fromkeys(parts.get("constraints", ())))
        decisions.update(dict.fromkeys(parts.get("decisions", ())))
    return Context(goal, tuple(constraints), tuple(decisions))


def _add_parts(parts: dict[str, Any], given: Parts) -> None:
    """What the author gave; what was not given is not written."""
    summary, confidence, decisions, constraints, artifacts, next_step, usage, attachments, derived, *_ = given
    if not derived:
        parts["summary"] = summary
        parts.pop("summary_derived", None)
    if confidence is not None:
        parts["confidence"] = confidence
    if decisions:
        parts["decisions"] = decisions
    if constraints:
        parts["constraints"] = constraints
    if artifacts:
        parts["artifacts"] = [artifact.document() for artifact in artifacts]
    if next_step is not None:
        parts["next_step"] = next_step
    if usage is not None and (known := usage.document()):
        parts["usage"] = known
    if attachments:
        parts["attachments"] = [attachment.document() for attachment in attachments]


def _parts_json(parts: dict[str, Any], where: str) -> bytes:
    try:
        data = to_json(parts, inf_nan_mode="constants")
    except PydanticSerializationError as error:
        reason = "half a character (a lone surrogate)" if "surrogates" in str(error) else str(error)
        raise UnserialisablePayload(f"{where}: the envelope holds {reason}") from None
    check_text(data, where)
    if "attachments" in parts or "usage" in parts:
        parse_json(data, where)  # the only parts that can hold numbers or data of any shape
    return data


def _spill(output: bytes, spill_bytes: int) -> tuple[bytes, tuple[Spilled, ...], dict[str, Any]]:
    """Take what is too large out of an output: large top-level fields; all of it if that is not enough."""
    value = from_json(output)
    spilled: list[Spilled] = []
    rest = output
    if isinstance(value, dict):
        kept = dict(value)
        for key, item in value.items():
            content = to_json(item)
            if len(content) > spill_bytes:
                spilled.append(Spilled(pointer_of(key), digest_of(content), content))
                kept[key] = None
        rest = to_json(kept) if spilled else output
    if len(rest) > spill_bytes:
        spilled = [Spilled("", digest_of(output), output)]
        rest = _NULL
    pointers = {
        part.pointer: Artifact.of_digest(part.digest, part.media_type, len(part.content)).document()
        for part in spilled
    }
    # The summary must be kept: what it is derived from is not here any more.
    return rest, tuple(spilled), {"spilled": pointers, "summary": summarise(value), "summary_derived": True}


def _content(contents: Mapping[str, bytes], digest: str) -> bytes:
    try:
        return contents[digest]
    except KeyError:
        raise ArtifactError(f"a part of the output is kept as {digest} and was not fetched") from None
