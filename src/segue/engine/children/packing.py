"""
What an attempt in a child process is called with: each argument as the JSON that the agent's own process checks.

What cannot be sent before the agent asks for it (the output behind a `Ref`, a `Later`, what is upstream) stays here, as
something to be read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from segue.domain.envelope.body import spills_of
from segue.domain.envelope.sent import Context
from segue.domain.envelope.waiting import Waitable
from segue.domain.graph.graph import Argument, Path, path_of
from segue.domain.records import HANDED_ON
from segue.domain.rows import StoredHandoff
from segue.engine.attempts.attempt import Attempt
from segue.engine.children.protocol import Awaited, Envelope, Envelopes, Parcel, Value
from segue.engine.inputs.binding import Binder
from segue.engine.inputs.materials import Materials
from segue.engine.inputs.reading import Reading


class Behind(NamedTuple):
    """What can be read about one envelope: its output as JSON, and what is upstream of it."""

    output: Callable[[], Awaitable[bytes]]
    upstream: Callable[[], Waitable[Context]]


class Packed(NamedTuple):
    """The arguments of an attempt: what is sent of each, and what is read when the agent asks for it."""

    parcels: dict[str, Parcel]
    behind: dict[tuple[str, int], Behind]
    later: dict[str, Argument]


async def pack(binder: Binder, attempt: Attempt) -> Packed:
    """Pack the arguments of an attempt. Nothing is validated here: the child does that before it calls the agent."""
    packed = Packed({}, {}, {})
    materials = await binder.materials_of(attempt)
    for argument in attempt.step.node.arguments:
        ours = binder.materials_for(attempt, argument, materials)
        packed.parcels[argument.parameter] = _parcel(binder, attempt, argument, ours, packed)
    return packed


def _parcel(
    binder: Binder, attempt: Attempt, argument: Argument, materials: Materials, packed: Packed
) -> Parcel:
    match argument.crossing:
        case "value":
            return Value("value", binder.value(attempt, argument, materials))
        case "later":
            packed.later[argument.parameter] = argument
            return Awaited("later")
        case crossing:
            path = path_of(argument.binding)
            envelopes: list[Envelope | None] = []
            for index, stored in enumerate(materials.handoffs(argument.binding)):
                envelopes.append(None)
                if stored is not None:
                    behind = _behind(binder, attempt, stored, path, materials.reading)
                    packed.behind[argument.parameter, index] = behind
                    envelopes[-1] = _envelope(
                        binder, attempt, stored, materials, path, whole=crossing == "handoff"
                    )
            return Envelopes(crossing, argument.each, envelopes)


def _envelope(
    binder: Binder,
    attempt: Attempt,
    stored: StoredHandoff,
    materials: Materials,
    path: Path,
    *,
    whole: bool,
) -> Envelope:
    if materials.reading is not None and whole:
        stored = materials.reading.written_anew(stored, materials.contents)
    elif materials.reading is not None:
        materials.reading.check(stored, ())
    within = path if stored.record.status == HANDED_ON else ()
    spills = spills_of(stored.record, within) if whole else ()
    contents = {spill.digest: materials.contents[spill.digest] for spill in spills}
    return Envelope(stored, binder.provenance(attempt.live, stored).origin(), contents, within)


def _behind(
    binder: Binder, attempt: Attempt, stored: StoredHandoff, path: Path, reading: Reading | None
) -> Behind:
    async def output() -> bytes:
        return await binder.output(stored, path, reading)

    return Behind(output, binder.provenance(attempt.live, stored).upstream)
