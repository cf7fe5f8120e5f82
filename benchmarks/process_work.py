"""
A process under measurement, started by `process_rows`: `python -m benchmarks.process_work KIND STORE DURABILITY ...`.

It says `ready` when its store is open, writes what it has seen as one line of JSON when its standard input ends, and
ends.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import workloads
from benchmarks.segue_rows import Durability, handed
from benchmarks.workloads import Packet, next_packet
from segue import Agent, Handoff, Segue, Workflow, agent, ctx, workflow

marks: list[tuple[str, int, int, int]] = []
"""Of each agent of a chain: its run, its place in it, its start and its return, in nanoseconds of one clock."""


async def carry(packet: Packet) -> Handoff[Packet]:
    """An agent of the chain that goes to and fro between two processes."""
    started = time.perf_counter_ns()
    draft = handed(next_packet(packet))
    if draft.output.step == workloads.CHAIN_LENGTH:
        print("done", flush=True)
    marks.append((ctx.run, packet.step, started, time.perf_counter_ns()))
    return draft


CHAIN = [agent(name=f"carry_{number}")(carry) for number in range(workloads.CHAIN_LENGTH)]


@workflow
def to_and_fro(packet: Packet) -> Packet:
    """A chain of ten agents, every other one in the other process."""
    for each in CHAIN:
        packet = each(packet)
    return packet


@agent
async def fatal(folder: str) -> int:
    """Kills its process at the first try, and says how long after that the second one began."""
    died = Path(folder) / f"died {ctx.run}"
    if not died.exists():
        died.write_text(str(time.perf_counter_ns()))
        os.kill(os.getpid(), signal.SIGKILL)
    return time.perf_counter_ns() - int(died.read_text())


@workflow
def takeover(folder: str) -> int:
    """One task that is lost with its process."""
    return fatal(folder)


@agent
async def little(number: int) -> int:
    """Hardly any work, so that writing is all there is."""
    return number


@workflow
def one_task(number: int) -> int:
    """A run of a single task."""
    return little(number)


def ended() -> asyncio.Future[bytes]:
    """The end of standard input."""
    return asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


async def work(
    store: str, durability: Durability, agents: list[Agent[object] | Workflow[..., object]]
) -> None:
    """Take tasks until the end."""
    async with Segue(store, durability=durability, agents=agents):
        print("ready", flush=True)
        await ended()


async def chain_worker(store: str, durability: Durability, which: str) -> object:
    """Take the tasks of every other agent of a chain."""
    await work(store, durability, list(CHAIN[int(which) :: 2]))
    return marks


async def idle_worker(store: str, durability: Durability) -> object:
    """Have agents, and nothing to do."""
    await work(store, durability, [to_and_fro])
    return None


async def takeover_worker(store: str, durability: Durability) -> object:
    """Take the task that kills its process, or take it over."""
    await work(store, durability, [takeover])
    return None


async def writer(store: str, durability: Durability, seconds: str) -> object:
    """Submit runs without a pause; how long each took."""
    # A real-time process that never rests keeps its core for 100 ms: that would be measured, and not the lock.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    waits = []
    async with Segue(store, durability=durability, worker=False) as segue:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.readline)
        until = time.perf_counter() + float(seconds)
        while (began := time.perf_counter()) < until:
            await segue.submit(one_task, len(waits))
            waits.append(time.perf_counter() - began)
        await ended()
    return waits


KINDS: dict[str, Callable[..., Awaitable[object]]] = {
    "chain": chain_worker,
    "idle": idle_worker,
    "takeover": takeover_worker,
    "writer": writer,
}


async def main(kind: str, *arguments: str) -> None:
    """Be such a process."""
    print(json.dumps(await KINDS[kind](*arguments)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
