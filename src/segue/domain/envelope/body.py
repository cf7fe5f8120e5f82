"""
The layout of a stored hand-off: `{"output":`, the JSON of the output, the parts that are there, `}`.

The output comes first and its length is stored with it, so that a receiver validates it straight from the
bytes. The parts say `spilled` first: whether an output is whole is seen without parsing anything.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from pydantic_core import from_json

_START = b'{"output":'
_OUTPUT_AT = len(_START)
_SPILLED = b',"spilled":'


class Written(Protocol):
    """A hand-off that was written: stored, or sealed and about to be."""

    @property
    def body(self) -> bytes:
        """Its JSON."""
        ...

    @property
    def output_size(self) -> int:
        """How many bytes of that are the output."""
        ...


class Spill(NamedTuple):
    """A field kept as an artifact: its JSON pointer (`/raw`; empty for the whole output), and where it is."""

    pointer: str
    digest: str
    size: int


def assemble(output: bytes, parts: bytes) -> bytes:
    """The body of an output and the JSON object of its parts, `spilled` the first of them if it is there."""
    if parts == b"{}":
        return b"%b%b}" % (_START, output)
    return b"%b%b,%b" % (_START, output, parts[1:])


def output_json(record: Written) -> bytes:
    """The JSON of the output, with null in place of what was spilled."""
    return record.body[_OUTPUT_AT : _OUTPUT_AT + record.output_size]


def whole_output_json(record: Written) -> bytes | None:
    """The JSON of the output if all of it is in the body."""
    body, end = record.body, _OUTPUT_AT + record.output_size
    return None if body.startswith(_SPILLED, end) else body[_OUTPUT_AT:end]


def parts_of(record: Written) -> dict[str, Any]:
    """Everything but the output."""
    rest = record.body[_OUTPUT_AT + record.output_size :]
    if rest == b"}":
        return {}
    parts: dict[str, Any] = from_json(b"{" + rest[1:])
    return parts


def is_spilled(record: Written) -> bool:
    """Whether a part of the output is kept as an artifact."""
    return record.body.startswith(_SPILLED, _OUTPUT_AT + record.output_size)


def spills_of(record: Written, path: tuple[str | int, ...] = ()) -> tuple[Spill, ...]:
    """What must be fetched to have the output, or only what is below `path` in it. Most have nothing."""
    if not is_spilled(record):
        return ()
    spilled: dict[str, dict[str, Any]] = parts_of(record)["spilled"]
    wanted = ("", pointer_of(path[0])) if path else None
    return tuple(
        Spill(pointer, kept["uri"].removeprefix("segue://"), kept["size"])
        for pointer, kept in spilled.items()
        if wanted is None or pointer in wanted
    )


def pointer_of(key: str | int) -> str:
    """The JSON pointer (RFC 6901) of a top-level field."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")
