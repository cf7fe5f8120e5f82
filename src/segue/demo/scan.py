"""
The part of the review that reads whole files in Python: run as a program, `python -m segue.demo.scan JOB`.

It is a process of its own since threads give CPU-bound work no parallelism, and since a file that breaks
Python's parser then breaks this process only. The question is JSON on standard input, the answer JSON on
standard output.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel

from segue.demo.languages import CODE_LANGUAGES
from segue.demo.models import SourceFile, Unread
from segue.demo.python_names import Definition, Unused, find_definitions, find_unused

MOST_BYTES_READ = 256_000_000
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(rb"""["']([A-Za-z_][A-Za-z0-9_]*)["']""")
_COMMENT_MARK = r"(?:#|//|/\*|<!--|--|;|%|\"\"\"|'''|\*)"
_NOTE = re.compile(rf"{_COMMENT_MARK}\s*(TODO|FIXME|XXX|HACK)\b[:\s(]*(.*)")
_SERIOUS = re.compile(rb"^(?:<{7}|>{7}) |PRIVATE KEY|AKIA|ASIA|gh[pousr]_|xox[abpr]-", re.MULTILINE)
_NOTABLE = re.compile(_SERIOUS.pattern + rb"|TODO|FIXME|XXX|HACK", re.MULTILINE)
_MOST_BYTES_OF_LINE = 2_000
_CONFLICT = re.compile(r"(<{7}|>{7}) \S")
_SECRETS = (
    ("private key", re.compile(r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----\s*$")),
    ("access key of AWS", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("token of GitHub", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b")),
    ("token of Slack", re.compile(r"\bxox[abpr]-[0-9]{10,13}-[0-9A-Za-z-]{20,}\b")),
)


class Question(BaseModel):
    """What to look into. `words` and `stems` are those of the whole repository (`WordIndex`)."""

    root: str
    files: list[SourceFile]
    words: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()


class WordIndex(BaseModel):
    """
    The words of the repository: `once` occur a single time, `tests` are in tests; `stems` end in `_`, or would
    if whatever stands in quotes were put together with more (`segue.demo.python_names` says what for).

    `complete` says that every text was read: else a word that occurs once may well occur again. `has_tests`
    is false if there are almost none: then tests live elsewhere, and nothing follows from what these mention.
    """

    words: int
    complete: bool
    has_tests: bool
    once: list[str]
    stems: list[str]
    tests: list[str]


class Remark(BaseModel):
    """A line of text that deserves a look: `rule` is `TODO` ..., `conflict` or `secret`."""

    path: str
    line: int
    rule: str
    text: str


class Answer(BaseModel):
    """What was found; the part that was not asked for is empty."""

    index: WordIndex | None = None
    definitions: list[Definition] = []
    unused: list[Unused] = []
    remarks: list[Remark] = []
    unread: list[Unread] = []


def words(question: Question) -> Answer:
    """Count every word of every file."""
    counts: Counter[bytes] = Counter()
    in_tests: set[bytes] = set()
    quoted: set[bytes] = set()
    unread: list[Unread] = []
    left = MOST_BYTES_READ
    for file in question.files:
        left -= file.bytes
        if left < 0:
            break
        content = _read(question.root, file, unread)
        found = _WORD.findall(content)
        counts.update(found)
        quoted.update(_QUOTED.findall(content))
        if file.role == "test":
            in_tests.update(found)
    ending = (word for word in counts if word.endswith(b"_"))
    index = WordIndex(
        words=len(counts),
        complete=left >= 0 and not unread,
        has_tests=has_tests(question.files),
        once=sorted(word.decode() for word, count in counts.items() if count == 1),
        stems=sorted({word.decode().rstrip("_") + "_" for word in {*quoted, *ending} if len(word) > 2}),
        tests=sorted(word.decode() for word in in_tests),
    )
    return Answer(index=index, unread=unread)


def has_tests(files: Sequence[SourceFile]) -> bool:
    """Whether at least one Python file in fifty is a test."""
    roles = Counter(file.role for file in files if file.language == "Python")
    return roles["test"] > 0 and roles["test"] * 50 >= roles["source"]


def definitions(question: Question) -> Answer:
    """Name the public functions and classes at the top of each Python file."""
    answer = Answer()
    for file in question.files:
        try:
            answer.definitions += find_definitions(file.path, _source(question.root, file, answer.unread))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            answer.unread.append(Unread(path=file.path, reason=f"does not parse: {_reason(error)}"))
    return answer


def unused(question: Question) -> Answer:
    """Find what nothing refers to in Python files (`segue.demo.python_names` says how)."""
    answer = Answer()
    for file in question.files:
        try:
            source = _source(question.root, file, answer.unread)
            answer.unused += find_unused(file.path, source, question.words, question.stems)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            answer.unread.append(Unread(path=file.path, reason=f"does not parse: {_reason(error)}"))
    return answer


def text(question: Question) -> Answer:
    """Find notes to self in code other than Python, and merge conflicts and secrets in every text."""
    answer = Answer()
    for file in question.files:
        content = _read(question.root, file, answer.unread)
        notes = file.language in CODE_LANGUAGES and file.language != "Python"
        for number, line in _interesting_lines(content, _NOTABLE if notes else _SERIOUS):
            answer.remarks += _remarks(file.path, number, line, notes=notes)
    return answer


JOBS: dict[str, Callable[[Question], Answer]] = {
    "words": words,
    "definitions": definitions,
    "unused": unused,
    "text": text,
}


def _interesting_lines(content: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, str]]:
    """The lines in which the pattern occurs, with their numbers: one fast search instead of many slow ones."""
    number, counted_to = 1, 0
    for match in pattern.finditer(content):
        begin = content.rfind(b"\n", 0, match.start()) + 1
        if begin < counted_to:
            continue  # a line is looked at once
        end = content.find(b"\n", match.start())
        end = len(content) if end < 0 else end
        number += content.count(b"\n", counted_to, begin)
        counted_to = end
        yield number, content[begin:end][:_MOST_BYTES_OF_LINE].decode("utf-8", "replace").rstrip("\r")


def _remarks(path: str, number: int, line: str, *, notes: bool) -> list[Remark]:
    found = []
    note = _NOTE.search(line) if notes else None
    if note:
        found.append(Remark(path=path, line=number, rule=note.group(1), text=note.group(2).strip()[:120]))
    if _CONFLICT.match(line):
        found.append(Remark(path=path, line=number, rule="conflict", text=line[:40]))
    for what, pattern in _SECRETS:
        if pattern.search(line):
            found.append(
                Remark(path=path, line=number, rule="secret", text=what)
            )  # the secret itself is not repeated
    return found


def _read(root: str, file: SourceFile, unread: list[Unread]) -> bytes:
    try:
        return Path(root, file.path).read_bytes()
    except OSError as error:
        unread.append(Unread(path=file.path, reason=error.strerror or "cannot be read"))
        return b""


def _source(root: str, file: SourceFile, unread: list[Unread]) -> str:
    """The text of a Python file in the encoding that it declares."""
    content = io.BytesIO(_read(root, file, unread))
    encoding, _ = tokenize.detect_encoding(content.readline)
    content.seek(0)
    return io.TextIOWrapper(content, encoding).read()


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg}, line {error.lineno}" if error.lineno else error.msg
    return "nested too deeply" if isinstance(error, RecursionError | MemoryError) else str(error)


def main() -> None:
    """Answer one question."""
    sys.setrecursionlimit(5_000)
    job = JOBS[sys.argv[1]]
    question = Question.model_validate_json(sys.stdin.buffer.read())
    with contextlib.redirect_stdout(sys.stderr):
        answer = job(question)
    sys.stdout.buffer.write(answer.model_dump_json().encode())


if __name__ == "__main__":
    main()
