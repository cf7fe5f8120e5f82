"""Segue in several processes on one file: how fast one wakes another, what waiting costs, and who has to wait."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks import process_work
from benchmarks.lanes import ROOT, serve
from benchmarks.segue_rows import STORE, Durability
from benchmarks.workloads import CHAIN_LENGTH, Figures, Sizes, Workload, WrongResult, first_packet, percentile
from segue import Segue

WORKLOADS: Mapping[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("P1", "a chain of 10 agents to and fro between two processes", ("p50_us", "p99_us")),
        Workload("P2", "8 idle workers: processor time of all together, of one core", ("idle_percent",)),
        Workload("P3", "a worker is killed: until another one runs its task again", ("p50_ms", "longest_ms")),
        Workload(
            "P4", "8 processes that write without a pause: the wait for a write", ("p50_us", "longest_ms")
        ),
    )
}
CROWD = 8
SETTLE_SECONDS = 2.0
"""So long after the last one came until idle workers are idle."""


class Child:
    """A process of `process_work`."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def line(self) -> str:
        """What it says next. Raises WrongResult if it ended instead."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise WrongResult("a process ended before it was told to; the reason is above")
        return line.decode().strip()

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def end(self) -> Any:
        """End its input; what it has seen."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        seen = json.loads(await self.line())
        await self.process.wait()
        return seen

    @property
    def processor_seconds(self) -> float:
        """The processor time that its threads have used so far, counted by the scheduler and not by its ticks."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@asynccontextmanager
async def children(commands: Sequence[Sequence[str]]) -> AsyncIterator[list[Child]]:
    """Processes that are ready; those that are left in the end are killed."""
    started = [
        Child(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.process_work", *command, stdin=PIPE, stdout=PIPE, cwd=ROOT
            )
        )
        for command in commands
    ]
    try:
        for child in started:
            if await child.line() != "ready":
                raise WrongResult("a process did not begin with `ready`")
        yield started
    finally:
        for child in started:
            if child.process.returncode is None:
                child.process.kill()
            await child.process.wait()


async def measure_handoff(store: str, durability: Durability, sizes: Sizes) -> Figures:
    """P1: from a sender's return in one process to its receiver's start in the other."""
    async with children([("chain", store, durability, str(which)) for which in (0, 1)]) as workers:
        runs = []
        for _ in range(sizes.warmup_runs + sizes.process_chains):
            # Not open while the chain runs: each commit would wake this process too, and there may be two cores only.
            async with Segue(store, durability=durability, worker=False) as segue:
                runs.append((await segue.submit(process_work.to_and_fro, first_packet())).run)
            if await workers[1].line() != "done":
                raise WrongResult("a chain did not end in the second process")
        seen = [mark for worker in workers for mark in await worker.end()]
    times = {(run, step): (started, returned) for run, step, started, returned in seen}
    hops = [
        times[run, step][0] - times[run, step - 1][1]
        for run in runs[sizes.warmup_runs :]
        for step in range(1, CHAIN_LENGTH)
    ]
    return {"p50_us": percentile(hops, 50) / 1e3, "p99_us": percentile(hops, 99) / 1e3}


async def measure_idle(store: str, durability: Durability, sizes: Sizes) -> Figures:
    """P2: the processor time of workers that have nothing to do."""
    async with children([("idle", store, durability)] * CROWD) as workers:
        await asyncio.sleep(SETTLE_SECONDS)
        before = sum(worker.processor_seconds for worker in workers)
        await asyncio.sleep(sizes.idle_seconds)
        spent = sum(worker.processor_seconds for worker in workers) - before
        for worker in workers:
            await worker.end()
    return {"idle_percent": 100 * spent / sizes.idle_seconds}


async def measure_takeover(store: str, durability: Durability, sizes: Sizes) -> Figures:
    """P3: from a kill of the worker that had a task to the start of its next attempt elsewhere."""
    milliseconds = []
    async with Segue(store, durability=durability, worker=False) as segue:
        for _ in range(sizes.takeovers):
            async with children([("takeover", store, durability)] * 2) as workers:
                # The survivor is at any place of its rounds when the other one dies.
                await asyncio.sleep(0.1 + 0.37 * len(milliseconds) % 1)
                handle = await segue.submit(process_work.takeover, str(Path(store).parent))
                milliseconds.append(await handle.result() / 1e6)
                if sum(worker.process.returncode is None for worker in workers) != 1:
                    raise WrongResult("not exactly one of two workers died")
    return {"p50_ms": percentile(milliseconds, 50), "longest_ms": max(milliseconds)}


async def measure_writers(store: str, durability: Durability, sizes: Sizes) -> Figures:
    """P4: how long a write of one of many processes waits for those of the others."""
    async with children([("writer", store, durability, str(sizes.writing_seconds))] * CROWD) as writers:
        for writer in writers:
            writer.go()
        waits = [wait for writer in writers for wait in await writer.end()]
    return {"p50_us": percentile(waits, 50) * 1e6, "longest_ms": max(waits) * 1e3}


_MEASURES: Mapping[str, Callable[[str, Durability, Sizes], Awaitable[Figures]]] = {
    "P1": measure_handoff,
    "P2": measure_idle,
    "P3": measure_takeover,
    "P4": measure_writers,
}


async def measure(workload: str, durability: Durability, sizes: Sizes, folder: Path) -> Figures:
    """Measure one repetition of a workload in an empty folder. Raises WrongResult."""
    return await _MEASURES[workload](str(folder / STORE), durability, sizes)


def main(arguments: Sequence[str]) -> None:
    """Serve one durability."""
    durability: Durability = "fast" if arguments[0] == "fast" else "durable"
    serve(lambda workload, sizes, folder: asyncio.run(measure(workload, durability, sizes, folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
