"""Segue under measurement: the four shapes as workflows, through the front door and nothing else."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from benchmarks import workloads
from benchmarks.lanes import serve
from benchmarks.raw_rows import pages_per_commit
from benchmarks.workloads import Figures, OpenSystem, Packet, Sizes, next_packet
from segue import Artifact, Handoff, Segue, Workflow, agent, workflow

STORE = "segue.db"

T = TypeVar("T")
Durability = Literal["fast", "durable"]

marks: list[int] = []
"""What the agents of a chain append to; see workloads.System."""
pieces: Sequence[bytes] = ()
"""What the agents of a pile add, made before the clock starts."""


class Pile(BaseModel):
    """A packet and pointers to every piece added so far."""

    packet: Packet
    pieces: list[Artifact]


def handed(output: T) -> Handoff[T]:
    """The output with what an author says about it."""
    return Handoff(
        output,
        summary=workloads.SUMMARY,
        confidence=workloads.CONFIDENCE,
        decisions=list(workloads.DECISIONS),
    )


async def begin(packet: Packet) -> Handoff[Packet]:
    """The first agent of a chain."""
    marks.append(time.perf_counter_ns())
    draft = handed(next_packet(packet))
    marks.append(time.perf_counter_ns())
    return draft


async def carry_on(received: Handoff[Packet]) -> Handoff[Packet]:
    """Every other agent of a chain."""
    marks.append(time.perf_counter_ns())
    draft = handed(next_packet(received.output))
    marks.append(time.perf_counter_ns())
    return draft


def chain_workflow(name: str, speculative: bool) -> Workflow[[Packet], Packet]:
    """A chain of ten agents, each with a name of its own."""
    first = agent(name=f"{name}_0", speculative=speculative)(begin)
    others = [
        agent(name=f"{name}_{number}", speculative=speculative)(carry_on)
        for number in range(1, workloads.CHAIN_LENGTH)
    ]

    def chain(packet: Packet) -> Packet:
        current = first(packet)
        for other in others:
            current = other(current)
        return current

    return workflow(name=name)(chain)


@agent
async def first_of_fan(packet: Packet) -> Handoff[Packet]:
    """The agent that a hundred others take from."""
    return handed(next_packet(packet))


@agent
async def leaf(received: Handoff[Packet]) -> Handoff[Packet]:
    """One of a hundred."""
    return handed(next_packet(received.output))


@agent
async def join(received: list[Handoff[Packet]]) -> int:
    """The agent that takes from a hundred others."""
    return len(received)


@workflow
def fan(packet: Packet) -> int:
    """One agent to a hundred to one."""
    first = first_of_fan(packet)
    return join([leaf(first) for _ in range(workloads.FAN_LEAVES)])


async def grown(pile: Pile) -> Handoff[Pile]:
    """The pile with one more piece."""
    packet = next_packet(pile.packet)
    piece = await Artifact.write(pieces[packet.step - 1], media_type="application/octet-stream")
    return handed(Pile(packet=packet, pieces=[*pile.pieces, piece]))


async def begin_pile(packet: Packet) -> Handoff[Pile]:
    """The first agent of a pile."""
    return await grown(Pile(packet=packet, pieces=[]))


async def add_to_pile(received: Handoff[Pile]) -> Handoff[Pile]:
    """Every other agent of a pile."""
    return await grown(received.output)


PILE_AGENTS = [
    agent(name=f"pile_{number}")(add_to_pile if number else begin_pile)
    for number in range(workloads.CHAIN_LENGTH)
]


@workflow
def pile(packet: Packet) -> Pile:
    """A chain of ten agents that each add a piece."""
    first, *others = PILE_AGENTS
    current = first(packet)
    for other in others:
        current = other(current)
    return current


async def sleep_first(packet: Packet) -> Handoff[Packet]:
    """An agent of the first layer."""
    await asyncio.sleep(workloads.MESH_SLEEP_SECONDS)
    return handed(next_packet(packet))


async def sleep_on(
    one: Handoff[Packet], two: Handoff[Packet], three: Handoff[Packet], four: Handoff[Packet]
) -> Handoff[Packet]:
    """An agent of a later layer, which waits for the whole layer before."""
    await asyncio.sleep(workloads.MESH_SLEEP_SECONDS)
    return handed(next_packet(one.output))


MESH_AGENTS = [
    [
        agent(name=f"mesh_{layer}_{number}")(sleep_on if layer else sleep_first)
        for number in range(workloads.MESH_WIDTH)
    ]
    for layer in range(workloads.MESH_LAYERS)
]


@workflow
def mesh(packet: Packet) -> tuple[Packet, Packet, Packet, Packet]:
    """Three fully connected layers of four agents."""
    before: list[Any] = [packet]
    for layer in MESH_AGENTS:
        before = [each(*before) for each in layer]
    one, two, three, four = before
    return one, two, three, four


CHAINS = {False: chain_workflow("chain", speculative=False), True: chain_workflow("eager", speculative=True)}


class SegueSystem:
    """Segue in one durability, with or without speculative agents."""

    def __init__(self, durability: Durability, speculative: bool = False) -> None:
        self.marks = marks
        self._durability = durability
        self._speculative = speculative

    @asynccontextmanager
    async def opened(self, folder: Path, concurrency: int) -> AsyncIterator[OpenSystem]:
        """Open the store in a folder."""
        async with Segue(folder / STORE, durability=self._durability, concurrency=concurrency) as segue:
            yield OpenSegue(segue, CHAINS[self._speculative])


class OpenSegue:
    """The four shapes on one open store."""

    def __init__(self, segue: Segue, chain: Workflow[[Packet], Packet]) -> None:
        self._segue = segue
        self._chain = chain

    async def chain(self, packet: Packet) -> Packet:
        """See OpenSystem.chain."""
        return await self._segue.run(self._chain, packet)

    async def fan(self, packet: Packet) -> int:
        """See OpenSystem.fan."""
        return await self._segue.run(fan, packet)

    async def pile(self, packet: Packet, added: Sequence[bytes]) -> Callable[[], Awaitable[list[bytes]]]:
        """See OpenSystem.pile."""
        global pieces  # noqa: PLW0603 - agents get nothing that is not handed over; this is the outside world
        pieces = added
        found = await self._segue.run(pile, packet)

        async def read_back() -> list[bytes]:
            return [await piece.read() for piece in found.pieces]

        return read_back

    async def mesh(self, packet: Packet) -> list[Packet]:
        """See OpenSystem.mesh."""
        last = await self._segue.run(mesh, packet)
        return list(last)


async def measure_pages(system: SegueSystem, folder: Path) -> Figures:
    """How many pages the commit of a hand-off dirties: the median commit of some chains."""
    async with system.opened(folder, concurrency=workloads.CROWD_WIDTH) as runs:
        for _ in range(10):
            await runs.chain(workloads.first_packet())
        return {"pages": pages_per_commit(folder / f"{STORE}-wal")}


def measure(system: SegueSystem, workload: str, sizes: Sizes, folder: Path) -> Figures:
    """Measure one repetition of a workload on Segue, or the pages that a hand-off dirties (`pages`)."""
    if workload == "pages":
        return asyncio.run(measure_pages(system, folder))
    return asyncio.run(workloads.measure(system, workload, sizes, folder))


def main(arguments: Sequence[str]) -> None:
    """Serve one row: its durability, and `speculative` where agents may start early."""
    durability: Durability = "fast" if arguments[0] == "fast" else "durable"
    system = SegueSystem(durability, speculative="speculative" in arguments)
    serve(lambda workload, sizes, folder: measure(system, workload, sizes, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
