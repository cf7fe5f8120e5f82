"""
A process is killed in the middle of a run; the next one goes on.

The program starts itself twice. The first process kills itself with SIGKILL inside `summarise`: nothing is saved, no
handler runs. The second opens the same store under the same key, finds the run, keeps what was handed over, and runs
the rest.

It prints:

    fetch runs
    summarise runs
    the first process was killed
    summarise runs
    publish runs
    published: SUMMARY OF PAGE
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from segue import Segue, agent, workflow


@agent
def fetch(url: str) -> str:
    print("fetch runs", flush=True)
    return "page"


@agent
def summarise(page: str) -> str:
    print("summarise runs", flush=True)
    if "die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"summary of {page}"


@agent
def publish(summary: str) -> str:
    print("publish runs", flush=True)
    return f"published: {summary.upper()}"


@workflow
def pipeline(url: str) -> str:
    return publish(summarise(fetch(url)))


async def work() -> None:
    async with Segue("segue.db") as segue:
        # The key names the piece of work: submitting it again finds the run that is there.
        print(await segue.with_(key="news of today").run(pipeline, "https://example.org/"))


def main() -> None:
    killed = subprocess.run([sys.executable, __file__, "work", "die"], check=False)
    assert killed.returncode == -signal.SIGKILL
    print("the first process was killed", flush=True)
    subprocess.run([sys.executable, __file__, "work"], check=True)


if __name__ == "__main__":
    asyncio.run(work()) if "work" in sys.argv else main()
