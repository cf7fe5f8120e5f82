"""
One process of `segue chaos`: works on a store, watched, until its input ends or its runs have ended.

Started as `python -m segue.testing.chaos.worker FOLDER URL ...`. Whatever the store says is written to standard error,
a line each, and tried again: a supervisor would do the same.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from segue.app.handle import RunHandle
from segue.app.segue import Segue
from segue.errors import ReviewNeeded, StoreError
from segue.ports.clock import SystemClock
from segue.stores.urls import open_store
from segue.testing.chaos.failpoint import Trap, parse_failpoint
from segue.testing.chaos.witness import watched
from segue.testing.chaos.workload import OFFERED, all_noted, expected, steer, story

PAUSE_SECONDS = 0.1
"""Between two tries to reach the store."""

RESULTS_DIFFER = 3
"""The exit code of a worker whose run ended with something else than it must."""


async def work(options: argparse.Namespace) -> int:
    """Work as long as there is something to wait for; the exit code."""
    trap = Trap(parse_failpoint(options.failpoint) if options.failpoint else None, Path(options.folder))
    while True:
        try:
            return await _work_once(options, trap)
        except StoreError as error:
            print(f"{type(error).__name__}: {error.message}", file=sys.stderr, flush=True)  # noqa: T201 - to who started it
        await SystemClock().sleep(PAUSE_SECONDS)


async def _work_once(options: argparse.Namespace, trap: Trap) -> int:
    parts = watched(open_store(options.url, durability=options.durability), trap, Path(options.journal))
    async with Segue(parts, agents=[story, *OFFERED], concurrency=16, lease_seconds=options.lease) as segue:
        if not options.runs:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            return 0
        handles = [await segue.with_(key=f"story-{number}").submit(story, number) for number in options.runs]
        await asyncio.gather(*(steer(handle) for handle in handles))
        results = await asyncio.gather(*(_result(segue, handle) for handle in handles))
        await all_noted(segue, {handle.run for handle in handles})
        right = results == [expected(number) for number in options.runs]
        return 0 if right else RESULTS_DIFFER


async def _result(segue: Segue, handle: RunHandle[str]) -> str:
    """The result of a run whose reviews end by themselves."""
    try:
        return await handle.result()
    except ReviewNeeded:
        await segue.wait(handle.run, "close")
        return await handle.result()


def main() -> None:
    """The entry point of the process."""
    parser = argparse.ArgumentParser(prog="segue.testing.chaos.worker", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("url")
    parser.add_argument("journal")
    parser.add_argument("--durability", default="durable")
    parser.add_argument("--lease", type=float, default=10.0)
    parser.add_argument("--failpoint", default="")
    parser.add_argument("--runs", type=int, nargs="*", default=[])
    sys.exit(asyncio.run(work(parser.parse_args())))


if __name__ == "__main__":
    main()
