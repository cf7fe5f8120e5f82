"""Running the analysers: ruff, and our own `segue.demo.scan`, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import IO, NamedTuple

from segue.demo.models import SourceFile, Unread
from segue.demo.scan import Answer, Question
from segue.errors import SegueError

TOOL_SECONDS = 120.0
PROCESSES_AT_ONCE = max(2, os.cpu_count() or 1)
"""How many tasks of one analyser may run at the same time in one worker."""
_SYNTAX_ERROR, _UNREADABLE = "invalid-syntax", "E902"


class ToolError(SegueError):
    """An analyser is not installed, ran out of time or crashed. The message names it."""


class Diagnostic(NamedTuple):
    """One line of ruff's answer."""

    path: str
    line: int
    rule: str
    message: str


class Lint(NamedTuple):
    """Ruff's answer, sorted; files that it could not parse are in `unread` and nowhere else."""

    diagnostics: list[Diagnostic]
    unread: list[Unread]


def tool_versions() -> dict[str, str]:
    """The versions of the analysers. Raises `ToolError` if one is not installed."""
    try:
        return {name: version(name) for name in ("ruff", "vulture")}
    except PackageNotFoundError as missing:
        raise _not_installed(str(missing.name)) from None


async def lint(
    root: str, files: Sequence[SourceFile], rules: Sequence[str], settings: Sequence[str] = ()
) -> Lint:
    """
    Run ruff with these rules on these files, whatever the reviewed repository configures. Raises `ToolError`.

    Comments such as `# noqa` are honoured: they are its authors' decisions.
    """
    if not files:
        return Lint([], [])
    command = [
        sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--quiet", "--exit-zero",
        "--output-format", "json", "--target-version", "py314", "--line-length", "320",
        "--select", ",".join([*rules, _UNREADABLE]),
        *(word for setting in settings for word in ("--config", setting)),
        "--", *(file.path for file in files),
    ]  # fmt: skip
    output = await _run("ruff", command, root, b"")
    diagnostics: list[Diagnostic] = []
    unread: dict[str, str] = {}
    for item in json.loads(output or b"[]"):
        path = item["filename"].removeprefix(root).lstrip("/")
        line, rule = item["location"]["row"], item["code"]
        if rule in (_SYNTAX_ERROR, _UNREADABLE, None):
            where = "" if rule == _UNREADABLE else f", line {line}"
            unread.setdefault(path, f"does not parse: {item['message']}{where}")
        else:
            diagnostics.append(Diagnostic(path, line, rule, item["message"]))
    kept = sorted(diagnostic for diagnostic in diagnostics if diagnostic.path not in unread)
    return Lint(kept, [Unread(path=path, reason=reason) for path, reason in sorted(unread.items())])


async def scan(job: str, question: Question) -> Answer:
    """Run one job of `segue.demo.scan` in a process of its own. Raises `ToolError`."""
    if find_spec("vulture") is None:
        raise _not_installed("vulture")
    if not question.files:
        return Answer()
    command = [sys.executable, "-m", "segue.demo.scan", job]
    return Answer.model_validate_json(
        await _run(f"scan {job}", command, question.root, question.model_dump_json().encode())
    )


def _not_installed(name: str) -> ToolError:
    return ToolError(f"{name} is not installed", remedy="pip install 'segue[demo]'")


async def _run(name: str, command: Sequence[str], folder: str, question: bytes) -> bytes:
    """One process from start to end; whoever stops waiting for it, stops it."""
    # The question is in a file and not in a pipe: a process that dies early breaks no pipe.
    with await asyncio.to_thread(_file_with, question) as file:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    try:
        async with asyncio.timeout(TOOL_SECONDS):
            output, complaints = await process.communicate()
    except TimeoutError:
        raise ToolError(f"{name} took longer than {TOOL_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = complaints.decode("utf-8", "replace").strip().splitlines()[-1:] or ["without a word"]
        raise ToolError(f"{name} ended with status {process.returncode}: {last[0]}")
    return output


def _file_with(content: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by whoever asked for it)
    file.write(content)
    file.seek(0)
    return file
