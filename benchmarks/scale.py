"""Whether the cost of a hand-off stays flat: a file full of finished runs against an empty one."""

import asyncio
import gc
import os
from pathlib import Path

from benchmarks import workloads
from benchmarks.lanes import serve
from benchmarks.segue_rows import STORE, SegueSystem, handed
from benchmarks.workloads import Figures, Packet, Sizes, first_packet, next_packet, percentile
from segue import Handoff, Segue, agent, workflow

REPETITIONS = 5


@agent
async def give(packet: Packet) -> Handoff[Packet]:
    """The first of two agents."""
    return handed(next_packet(packet))


@agent
async def take(received: Handoff[Packet]) -> int:
    """The second of two agents."""
    return received.output.step


@workflow
def pair(packet: Packet) -> int:
    """The smallest run that has a hand-off between agents."""
    return take(give(packet))


async def measure_scale(sizes: Sizes, folder: Path) -> Figures:
    """Fill a file with finished runs and note memory; time chains in it and in an empty file by turns."""
    system, full, empty = SegueSystem("fast"), folder / "full", folder / "empty"
    full.mkdir()
    memory_mb = []
    packet, early = first_packet(), sizes.finished_runs // 10
    async with Segue(full / STORE, durability="fast", concurrency=workloads.CROWD_WIDTH) as segue:

        async def one_pair() -> None:
            await segue.run(pair, packet)

        for count in (early, sizes.finished_runs - early):
            await workloads.all_of(count, one_pair)
            memory_mb.append(resident_megabytes())
    hops: dict[Path, list[float]] = {full: [], empty: []}
    for number in range(REPETITIONS):
        for kind in (full, empty) if number % 2 else (empty, full):
            home = kind if kind is full else folder / f"empty-{number}"
            home.mkdir(exist_ok=True)
            async with system.opened(home, concurrency=workloads.CROWD_WIDTH) as runs:
                hops[kind].append(percentile(await workloads.chain_hops(runs, system.marks, sizes), 50) / 1e3)
    return {
        "empty_p50_us": percentile(hops[empty], 50),
        "full_p50_us": percentile(hops[full], 50),
        "memory_early_mb": memory_mb[0],
        "memory_late_mb": memory_mb[1],
        "memory_growth_mb": memory_mb[1] - memory_mb[0],
    }


def resident_megabytes() -> float:
    """The resident memory of this process, after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(workload: str, sizes: Sizes, folder: Path) -> Figures:
    """Measure the one workload of this row."""
    return asyncio.run(measure_scale(sizes, folder))


if __name__ == "__main__":
    serve(measure)
