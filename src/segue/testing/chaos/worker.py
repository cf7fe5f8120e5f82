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
from segue.errors import KeyConflict, ReviewNeeded, StoreError
from segue.ports.clock import SystemClock
from segue.stores.urls import open_store
from segue.testing.chaos.errand import BUDGET, DESK, DESKS
from segue.testing.chaos.failpoint import Trap, parse_failpoint
from segue.testing.chaos.witness import watched
from segue.testing.chaos.workload import OFFERED, all_noted, encourage, expected, steer, story

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
            _say(error)
        await SystemClock().sleep(PAUSE_SECONDS)


def _say(error: StoreError) -> None:
    print(f"{type(error).__name__}: {error.message}", file=sys.stderr, flush=True)  # noqa: T201 - to who started it


async def _work_once(options: argparse.Namespace, trap: Trap) -> int:
    parts = watched(open_store(options.url, durability=options.durability), trap, Path(options.journal))
    async with Segue(parts, agents=[story, *OFFERED], concurrency=16, lease_seconds=options.lease) as segue:
        await segue.set_pool(DESK, options.desks)
        if not options.runs:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            return 0
        handles = [await _submit(segue, number) for number in options.runs]
        helping = asyncio.create_task(_help(segue))
        try:
            await asyncio.gather(*(steer(handle) for handle in handles))
            results = await asyncio.gather(*(_result(segue, handle) for handle in handles))
            await all_noted(segue, {handle.run for handle in handles})
        finally:
            helping.cancel()
        right = results == [expected(number) for number in options.runs]
        return 0 if right else RESULTS_DIFFER


async def _submit(segue: Segue, number: int) -> RunHandle[str]:
    """Submit a story; one that older code has submitted is another, and goes on as it was."""
    key = f"story-{number}"
    try:
        return await segue.with_(key=key, budget=BUDGET).submit(story, number)
    except KeyConflict:
        record = await segue.host.store.find_run(key)
        assert record is not None
        return segue.handle(record.run)


async def _help(segue: Segue) -> None:
    """Have a person about, who tries again what the store did not answer."""
    while True:
        try:
            await encourage(segue)
        except StoreError as error:
            _say(error)
        await SystemClock().sleep(PAUSE_SECONDS)


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
    parser.add_argument("--desks", type=int, default=DESKS)
    parser.add_argument("--failpoint", default="")
    parser.add_argument("--runs", type=int, nargs="*", default=[])
    sys.exit(asyncio.run(work(parser.parse_args())))


if __name__ == "__main__":
    main()
