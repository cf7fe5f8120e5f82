"""The five workloads, the payload they pass, and the one piece of code that measures every system of agents.

A system (Segue, LangGraph) only says how it runs four shapes: chain, fan, pile and mesh. What is run how
often, where the clock starts and stops, and whether the result is right is decided here, so that no system
is timed differently.
"""

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, Field

CHAIN_LENGTH = 10
FAN_LEAVES = 100
CROWD_WIDTH = 64
PIECE_BYTES = 100_000
MESH_LAYERS = 3
MESH_WIDTH = 4
MESH_SLEEP_SECONDS = 0.05

Figures = dict[str, float]
"""What one repetition of one workload measured, by the name of the figure (its unit is its last word)."""

SUMMARY = (
    "Compared three vendors on price, limits and support; two publish their limits, the third only on "
    "request, so its column rests on an interview."
)
DECISIONS = ("left out free tiers: they have no service level to compare",)
CONFIDENCE = 0.87


class Finding(BaseModel):
    """One observation inside a packet."""

    subject: str
    evidence: str
    score: float = Field(ge=0.0, le=1.0)


class Packet(BaseModel):
    """The output that crosses every hand-off: about 1 KB of JSON with summary, confidence and decisions."""

    topic: str
    step: int = Field(ge=0)
    findings: list[Finding]


def first_packet() -> Packet:
    """The packet that every run starts with; its step is 0."""
    evidence = "The public price list, read on the day of the comparison, names a limit per seat and month."
    findings = [
        Finding(subject=f"vendor {number}: price for each seat", evidence=evidence, score=0.25 * number)
        for number in range(4)
    ]
    return Packet(topic="Pricing of developer tools", step=0, findings=findings)


def next_packet(packet: Packet) -> Packet:
    """What an agent makes of the packet it received: a packet of its own, one step further."""
    return Packet(topic=packet.topic, step=packet.step + 1, findings=packet.findings)


@dataclass(frozen=True)
class Workload:
    """One workload: its short name, what it does, and the names of its figures."""

    name: str
    title: str
    figures: tuple[str, ...]


WORKLOADS: Mapping[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("W1", "a chain of 10 agents", ("p50_us", "p99_us")),
        Workload("W2", "1 agent to 100 to 1", ("tasks_per_s",)),
        Workload("W3", "64 concurrent chains of 10", ("handoffs_per_s",)),
        Workload("W4", "a chain of 10 agents that add 100 KB each", ("stored_mb", "hop_ms")),
        Workload("W5", "three connected layers of four agents that sleep 50 ms", ("excess_ms",)),
    )
}


@dataclass(frozen=True)
class Sizes:
    """How often one repetition runs each shape; the shapes themselves never change."""

    warmup_runs: int
    chain_runs: int
    fan_runs: int
    crowd_chains: int
    pile_runs: int
    mesh_runs: int
    finished_runs: int = 100_000
    """How many runs the file of `--scale` holds; memory then is compared with memory at a tenth."""
    process_chains: int = 100
    idle_seconds: float = 10.0
    takeovers: int = 5
    writing_seconds: float = 4.0


FULL = Sizes(warmup_runs=20, chain_runs=200, fan_runs=20, crowd_chains=1000, pile_runs=10, mesh_runs=5)
PEER = Sizes(warmup_runs=5, chain_runs=60, fan_runs=5, crowd_chains=256, pile_runs=5, mesh_runs=5)
"""A peer that is twenty times slower gets fewer runs: as steady a throughput, a p99 of fewer samples."""
SMOKE = Sizes(
    warmup_runs=1,
    chain_runs=2,
    fan_runs=1,
    crowd_chains=8,
    pile_runs=1,
    mesh_runs=1,
    finished_runs=100,
    process_chains=2,
    idle_seconds=0.5,
    takeovers=1,
    writing_seconds=0.2,
)


class WrongResult(Exception):
    """A system finished a run with a result that is not the one its agents made."""


class OpenSystem(Protocol):
    """A system with its store open: each method is one whole run of a shape, from call to result."""

    async def chain(self, packet: Packet) -> Packet:
        """Ten agents, each on the packet of the one before; the last packet."""

    async def fan(self, packet: Packet) -> int:
        """One agent, a hundred that take its packet, one that takes all of theirs; how many it took."""

    async def pile(self, packet: Packet, pieces: Sequence[bytes]) -> Callable[[], Awaitable[list[bytes]]]:
        """Ten agents that each add one piece; a function that reads all pieces back from the run's result."""

    async def mesh(self, packet: Packet) -> list[Packet]:
        """Three layers of four sleeping agents, each on all packets of the layer before; the last layer's."""


class System(Protocol):
    """A system of agents under measurement."""

    marks: list[int]
    """Nanoseconds: each agent of a chain appends its start, on validated input, and its return."""

    def opened(self, folder: Path, concurrency: int) -> AbstractAsyncContextManager[OpenSystem]:
        """Open a new store in an empty folder; after the context the store is closed and checkpointed."""


async def measure(system: System, workload: str, sizes: Sizes, folder: Path) -> Figures:
    """Run one repetition of a workload in an empty folder and return its figures.

    Raises WrongResult when a run's result is not what its agents made.
    """
    gc.collect()
    return await _MEASURES[workload](system, sizes, folder)


async def _measure_chain(system: System, sizes: Sizes, folder: Path) -> Figures:
    """W1: from a sender's return to its receiver's start, over the nine hops inside each chain."""
    async with system.opened(folder, concurrency=CROWD_WIDTH) as runs:
        hops = await chain_hops(runs, system.marks, sizes)
    return {"p50_us": percentile(hops, 50) / 1e3, "p99_us": percentile(hops, 99) / 1e3}


async def chain_hops(runs: OpenSystem, marks: list[int], sizes: Sizes) -> list[int]:
    """Run chains one after another; the nanoseconds of each hop after the warm-up."""
    packet, hops = first_packet(), []
    for number in range(sizes.warmup_runs + sizes.chain_runs):
        marks.clear()
        _expect("the chain's last step", (await runs.chain(packet)).step, CHAIN_LENGTH)
        if number >= sizes.warmup_runs:
            hops += hop_nanoseconds(marks)
    return hops


async def _measure_fan(system: System, sizes: Sizes, folder: Path) -> Figures:
    """W2: tasks a second, submission of the run and its result included."""
    packet = first_packet()
    async with system.opened(folder, concurrency=CROWD_WIDTH) as runs:
        await runs.fan(packet)
        began = time.perf_counter()
        for _ in range(sizes.fan_runs):
            _expect("leaves joined", await runs.fan(packet), FAN_LEAVES)
        seconds = time.perf_counter() - began
    return {"tasks_per_s": sizes.fan_runs * (FAN_LEAVES + 2) / seconds}


async def _measure_crowd(system: System, sizes: Sizes, folder: Path) -> Figures:
    """W3: hand-offs a second while 64 chains are always under way, until all are done."""
    packet = first_packet()
    async with system.opened(folder, concurrency=CROWD_WIDTH) as runs:

        async def one_chain() -> None:
            _expect("the chain's last step", (await runs.chain(packet)).step, CHAIN_LENGTH)

        await all_of(CROWD_WIDTH, one_chain)
        began = time.perf_counter()
        await all_of(sizes.crowd_chains, one_chain)
        seconds = time.perf_counter() - began
    system.marks.clear()
    return {"handoffs_per_s": sizes.crowd_chains * CHAIN_LENGTH / seconds}


async def all_of(count: int, one: Callable[[], Awaitable[None]]) -> None:
    """Do one thing this often, with as many under way at any time as a crowd is wide."""
    waiting = iter(range(count))

    async def take_turns() -> None:
        for _ in waiting:
            await one()

    await asyncio.gather(*(take_turns() for _ in range(CROWD_WIDTH)))


async def _measure_pile(system: System, sizes: Sizes, folder: Path) -> Figures:
    """W4: what one chain leaves on disk in a store of its own, and the time per hop in a second store."""
    packet, size_folder, time_folder = first_packet(), folder / "size", folder / "time"
    size_folder.mkdir()
    time_folder.mkdir()
    async with system.opened(size_folder, concurrency=CROWD_WIDTH) as runs:
        await _run_pile(runs, packet, seed=0)
    stored_bytes = folder_bytes(size_folder)
    seconds = []
    async with system.opened(time_folder, concurrency=CROWD_WIDTH) as runs:
        for number in range(sizes.pile_runs + 1):
            elapsed = await _run_pile(runs, packet, seed=number)
            if number:
                seconds.append(elapsed)
    hop_ms = percentile(seconds, 50) / CHAIN_LENGTH * 1e3
    return {"stored_mb": stored_bytes / 1e6, "hop_ms": hop_ms}


async def _run_pile(runs: OpenSystem, packet: Packet, seed: int) -> float:
    """Run one pile; the pieces are made before the clock starts and read back after it stops."""
    source = random.Random(seed)
    pieces = [source.randbytes(PIECE_BYTES) for _ in range(CHAIN_LENGTH)]
    began = time.perf_counter()
    read_back = await runs.pile(packet, pieces)
    seconds = time.perf_counter() - began
    if await read_back() != pieces:
        raise WrongResult("the pieces read back are not the pieces that the agents added")
    return seconds


async def _measure_mesh(system: System, sizes: Sizes, folder: Path) -> Figures:
    """W5: wall time of a run over the ideal, in which only sleeping takes time."""
    packet, seconds = first_packet(), []
    async with system.opened(folder, concurrency=CROWD_WIDTH) as runs:
        for number in range(sizes.mesh_runs + 1):
            began = time.perf_counter()
            last = await runs.mesh(packet)
            if number:
                seconds.append(time.perf_counter() - began)
            _expect("steps of the last layer", [each.step for each in last], [MESH_LAYERS] * MESH_WIDTH)
    return {"excess_ms": (percentile(seconds, 50) - MESH_LAYERS * MESH_SLEEP_SECONDS) * 1e3}


_MEASURES: Mapping[str, Callable[[System, Sizes, Path], Awaitable[Figures]]] = {
    "W1": _measure_chain,
    "W2": _measure_fan,
    "W3": _measure_crowd,
    "W4": _measure_pile,
    "W5": _measure_mesh,
}


def hop_nanoseconds(marks: Sequence[int]) -> list[int]:
    """The hops of one chain from its marks."""
    return [start - returned for returned, start in hop_pairs(marks)]


def hop_pairs(marks: Sequence[int]) -> list[tuple[int, int]]:
    """The sender's return and the receiver's start of each hop of one chain, from its marks (start, return, start ...).

    The way from the caller to the first agent has no sender and is not a hop.
    """
    _expect("marks of a chain", len(marks), 2 * CHAIN_LENGTH)
    return list(zip(marks[1:-1:2], marks[2::2], strict=True))


def percentile(samples: Sequence[float], rank: int) -> float:
    """The sample below which `rank` percent of all samples lie (nearest rank)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, len(ordered) * rank // 100)]


def folder_bytes(folder: Path) -> int:
    """The size of every file below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise WrongResult(f"{what}: expected {expected}, found {found}")
