"""Agents for child processes, which import them from here, and what they do to their process."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from segue import Artifact, DoNotRetry, Handoff, Later, Ref, RetryLater, UpstreamFailed, agent, ctx, workflow


def note_pid(file: str) -> None:
    """Leave the id of this process in a file, whole or not at all."""
    unfinished = Path(f"{file}.{os.getpid()}")
    unfinished.write_text(str(os.getpid()))
    unfinished.replace(file)


def wait_for_file(file: str) -> None:
    """Until a file is there."""
    while not Path(file).exists():
        os.sched_yield()


# --- what never ends ----------------------------------------------------------------------------


@agent(isolation="process")
def spins(file: str) -> str:
    note_pid(file)
    while True:
        pass


@agent(isolation="process", timeout="1h", idle="1s")
def falls_silent(file: str) -> str:
    note_pid(file)
    ctx.progress("a word", fraction=0.5).wait()
    while True:
        pass


@agent(isolation="process")
async def spins_in_the_loop(file: str) -> str:
    note_pid(file)
    while True:
        pass


@agent(isolation="process")
def sleeps(file: str) -> str:
    note_pid(file)
    time.sleep(1_000)  # noqa: TID251 - what is to be killed
    return "late"


@agent(isolation="process")
def holds_the_interpreter(file: str) -> str:
    note_pid(file)
    ctypes.PyDLL(None).sleep(1_000)  # C code that does not release the interpreter's lock
    return "late"


@agent(isolation="process")
def will_not_be_stopped(file: str) -> str:
    note_pid(file)
    while True:
        try:
            threading.Event().wait()
        except BaseException:  # noqa: BLE001
            continue


@agent(isolation="process")
def starts_another(file: str) -> str:
    """Its own child is the one that is noted."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    Path(f"{file}.new").write_text(str(other.pid))
    Path(f"{file}.new").replace(file)
    other.wait()
    return "late"


ENDLESS = [spins, spins_in_the_loop, sleeps, holds_the_interpreter, will_not_be_stopped, starts_another]

# --- what ends its process ----------------------------------------------------------------------


@agent(isolation="process")
def segfaults(file: str) -> str:
    return str(ctypes.string_at(0))


@agent(isolation="process")
def exits(file: str) -> str:
    os._exit(3)


@agent(isolation="process")
async def is_killed(file: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "late"


@agent(isolation="process")
def leaves_somebody(file: str) -> str:
    """The one that it leaves has all that it had, the way to the worker too."""
    if os.fork() == 0:
        note_pid(file)
        signal.alarm(60)  # should the test not come to end it
        signal.pause()
    wait_for_file(file)
    os._exit(4)


@agent(isolation="process")
def babbles(file: str) -> str:
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, b"\xff" * 100)
        except OSError:
            continue
    threading.Event().wait()
    return "late"


DEADLY = [
    (segfaults, "was killed by SIGSEGV"),
    (exits, "ended by itself with exit code 3"),
    (is_killed, "was killed by SIGKILL"),
    (leaves_somebody, "ended by itself with exit code 4"),
    (babbles, "sent what is no message"),
]


@agent(isolation="process", retries=2, backoff=None)
def dies_twice(file: str) -> str:
    if ctx.attempt < 3:
        os._exit(1)
    return f"attempt {ctx.attempt}"


# --- what behaves -------------------------------------------------------------------------------


@agent(isolation="process")
def pid_of(text: str) -> int:
    return os.getpid()


@agent(isolation="process")
async def echo(text: str) -> str:
    return text


class Told(BaseModel):
    run: str
    task: str
    agent: str
    attempt: int
    epoch: int
    goal: str | None
    deadline: str | None


def told() -> Told:
    return Told(
        run=ctx.run,
        task=ctx.task,
        agent=ctx.agent,
        attempt=ctx.attempt,
        epoch=ctx.epoch,
        goal=ctx.goal,
        deadline=None if ctx.deadline is None else ctx.deadline.isoformat(),
    )


@agent(isolation="process")
def tells(text: str) -> Told:
    return told()


@agent(isolation="process")
async def tells_from_a_thread(text: str) -> Told:
    return await asyncio.to_thread(told)


@agent(isolation="process")
def prints(text: str) -> str:
    for stream in (sys.stdout, sys.stderr):
        print(text * 1_000, file=stream)
    os.write(1, b"\x00\x00\x00\x05hello\n")
    return text


@agent(isolation="process")
def repeats(count: str) -> str:
    return "x" * int(count)


@agent(isolation="process")
def heeds_signals(text: str) -> str:
    os.kill(os.getpid(), signal.SIGTERM)
    os.killpg(0, signal.SIGINT)
    asked = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    return subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout


@agent(isolation="process")
def descriptors(text: str) -> int:
    return len(os.listdir("/proc/self/fd"))


# --- artifacts ----------------------------------------------------------------------------------


class Kept(BaseModel):
    data: Artifact
    file: Artifact
    stream: Artifact


DATA = bytes(range(256)) * 10_000
"""More than two pieces, of every byte."""


@agent(isolation="process")
async def writes(text: str) -> Kept:
    async def pieces() -> AsyncIterator[bytes]:
        yield text.encode()
        yield b"!"

    return Kept(
        data=await Artifact.write(DATA),
        file=await Artifact.write(Path(__file__)),
        stream=await Artifact.write(pieces(), media_type="text/plain"),
    )


@agent(isolation="process")
def reads(kept: Kept) -> list[str]:
    assert kept.data.read().wait() == DATA
    assert kept.file.read().wait() == Path(__file__).read_bytes()
    written = Artifact.write("from a thread").wait()
    return [kept.stream.text().wait(), written.text().wait()]


@agent(isolation="process")
async def streams(kept: Kept) -> int:
    async for _ in kept.data.stream():
        break  # given up halfway
    return sum([len(piece) async for piece in kept.data.stream()])


@agent(isolation="process")
def misses(text: str) -> bytes:
    return Artifact.of_digest("sha256:" + "0" * 64, "text/plain", 1).read().wait()


@workflow
def keeps(text: str) -> tuple[list[str], int]:
    kept = writes(text)
    return reads(kept), streams(kept)


# --- hand-offs ----------------------------------------------------------------------------------


class Found(BaseModel):
    name: str
    text: str


@agent
def finds(name: str) -> Handoff[Found]:
    return Handoff(
        Found(name=name, text="long " * 5_000), summary=f"found {name}", confidence=0.5, decisions=["go on"]
    )


@agent
def fails(name: str) -> str:
    raise ValueError(name)


@agent(isolation="process")
async def receives(whole: Handoff[Found], by_name: Ref[Found], later: Later[Found]) -> list[Any]:
    context = await whole.upstream()
    return [
        whole.summary,
        whole.output.text == (await by_name.fetch()).text == (await later).text,
        whole.confidence,
        whole.sent.pointer == by_name.pointer,
        whole.sent.source.agent,
        list(context.decisions),
        context.goal,
    ]


@agent(isolation="process")
def waits(by_names: list[Ref[Found]], later: Later[Found]) -> str:
    return ", ".join([later.wait().name, *(each.fetch().wait().name for each in by_names)])


@workflow
def hands_over(name: str) -> tuple[list[Any], str]:
    one, other = finds(name), finds(name)
    return receives(one, one, other), waits([one, other], other)


@agent(isolation="process")
async def does_without(text: str, later: Later[str]) -> str:
    try:
        return await later
    except UpstreamFailed as error:
        return error.message


@workflow
def goes_on(name: str) -> str:
    return does_without(name, fails(name))


@agent
async def slow(text: str, go: str) -> str:
    await asyncio.to_thread(wait_for_file, go)
    return text


@agent(isolation="process")
async def gives_up_waiting(go: str, later: Later[str]) -> str:
    try:
        return await asyncio.wait_for(_value(later), 0.01)
    except TimeoutError:
        note_pid(go)
        return f"first not, then {await later}"


async def _value(later: Later[str]) -> str:
    return await later


@workflow
def asks_twice(text: str, go: str) -> str:
    return gives_up_waiting(go, slow(text, go))


# --- steps and effects --------------------------------------------------------------------------


def note_line(file: str, line: str) -> str:
    """One more line in a file, durable before anything dies."""
    with Path(file).open("a") as notes:
        notes.write(f"{line}\n")
    return line * 5_000


@agent(isolation="process", retries=1, backoff=None)
def remembers(file: str) -> int:
    kept = ctx.step("ask", note_line, file, f"asked by attempt {ctx.attempt}").wait()
    with ctx.effect("pay") as paying:
        paying.once(note_line, file, "paid").wait()
    if ctx.attempt == 1:
        os._exit(1)
    return len(kept)


@agent(isolation="process", retries=1, backoff=None)
async def dies_paying(file: str) -> str:
    async with ctx.effect("pay") as paying:
        note_line(file, f"{paying.key} by attempt {ctx.attempt}")
        os._exit(1)


@agent(isolation="process")
async def uses_a_name_twice(text: str) -> str:
    await ctx.step("ask", str.upper, text)
    return await ctx.step("ask", str.upper, text)


# --- the same in a thread and in a process ------------------------------------------------------


@agent(isolation="process")
def raises(name: str) -> str:
    if name == "RetryLater":
        raise RetryLater("1h")
    raise {"KeyError": KeyError, "ValueError": ValueError, "DoNotRetry": DoNotRetry}[name]("no luck")


class Awkward(Exception):
    """An error that nothing could carry to another process."""

    def __init__(self) -> None:
        super().__init__("awkward")
        self.lock = threading.Lock()
        self.frame = sys._getframe()


def gives(text: str) -> Any:
    return text


def takes_number(number: int) -> int:
    raise AssertionError("was called")


def not_a_number(text: str) -> float:
    return float("nan")


def wrong_type(text: str) -> int:
    return text  # type: ignore[return-value]


def undecided(text: str) -> str:
    return text


def hands_over_a_failure(text: str) -> Handoff[str | None]:
    return Handoff(None, status="failed", summary="no luck")


def raises_awkwardly(text: str) -> str:
    raise Awkward


def leaves(text: str) -> str:
    sys.exit(text)


async def cancels_itself(text: str) -> str:
    raise asyncio.CancelledError(text)


def stops_iterating(text: str) -> str:
    raise StopIteration


def tells_a_secret(text: str) -> str:
    raise PermissionError(f"the key {os.environ['SHOP_API_KEY']} is refused")


def half_characters(text: str) -> str:
    return "\ud800"


MISHAPS = [
    not_a_number,
    wrong_type,
    undecided,
    hands_over_a_failure,
    raises_awkwardly,
    leaves,
    cancels_itself,
    stops_iterating,
    tells_a_secret,
    half_characters,
]
"""Functions that go wrong in every way."""


async def cancels_itself_and_returns(text: str) -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return text


@agent
async def delegated_to(question: str) -> str:
    """Answers an agent in a child process."""
    return f"{question}, answered"


@agent(isolation="process")
async def delegating(question: str) -> str:
    """Asks another agent from a child process."""
    return await ctx.delegate(delegated_to, question=question)
