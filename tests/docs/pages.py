"""The pages of the documentation, taken apart: code blocks, links, headings; and how output is compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^( *)(```+)(\w*)(.*)$")
_INCLUDED = re.compile(r'^--8<-- "([^"]+)"$')
_TITLE = re.compile(r'title="([^"]+)"')
_LINK = re.compile(r"(?<!\!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")

# What differs from one run to the next: ids, digests, times, durations, sizes, shares, processes.
_VARYING = re.compile(
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}[0-9a-f-]*|\bsha256:[0-9a-f]+)"
    r"|(?P<time>\b\d{4}-\d{2}-\d{2}\b|\b\d{2}:\d{2}:\d{2}(?:\.\d+)?)"
    r"|(?P<measured>\b\d[\d.,]*(?= ?(?:ns|µs|ms|s|min|h|B|KB|MB|GB|%)(?!\w)))"
    r"|(?P<unit>(?<=\d )(?:ns|µs|ms|s|min|h|B|KB|MB|GB)(?!\w))"
    r"|(?P<process>(?<=process )\d+)"
)
_MASKS = {
    "id": r"(?:sha256:)?[0-9a-f][0-9a-f-]*",
    "time": r"[\d.:-]+",
    "measured": r"[\d.,]+",
    "unit": r"[a-zA-Zµ]+",
    "process": r"\d+",
}


class Block(NamedTuple):
    """A fenced block. `title` is the name of the file that it is, if it is one."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str

    @property
    def where(self) -> str:
        """The place of the block, for a failure."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


class Command(NamedTuple):
    """One command of a console block and the output that the page shows for it."""

    where: str
    text: str
    output: str


def name_of(page: Path) -> str:
    """The name of a page in the list of tests."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text().splitlines()
    index = 0
    while index < len(lines):
        opened = _FENCE.match(lines[index])
        index += 1
        if opened is None:
            continue
        indent, fence, language, rest = opened.groups()
        first, body = index, []
        while lines[index].strip() != fence:
            included = _INCLUDED.match(lines[index])
            body.append((ROOT / included[1]).read_text() if included else lines[index].removeprefix(indent))
            index += 1
        index += 1
        title = _TITLE.search(rest)
        yield Block(page, first, language, title[1] if title else None, "\n".join(body) + "\n")


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block: a line after `$ `, and those that a backslash continues it with."""
    lines = block.text.splitlines()
    index = 0
    while index < len(lines):
        where = f"{name_of(block.page)}:{block.line + 1 + index}"
        assert lines[index].startswith("$ "), f"{where} is output without a command"
        text = lines[index].removeprefix("$ ")
        index += 1
        while text.endswith("\\"):
            text = f"{text}\n{lines[index]}"
            index += 1
        output = []
        while index < len(lines) and not lines[index].startswith("$ "):
            output.append(lines[index])
            index += 1
        yield Command(where, text, "\n".join(output))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    kept, inside = [], None
    for line in page.read_text().splitlines():
        fence = _FENCE.match(line)
        if inside is not None:
            inside = None if line.strip() == inside else inside
        elif fence is not None:
            inside = fence[2]
        else:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Where a page leads to."""
    return [next(filter(None, found)) for found in _LINK.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """The headings of a page as link targets, and those that it names itself."""
    text = prose(page)
    headings = re.findall(r"^#+ +(.+?)(?: *\{ *#([\w-]+) *\})?$", text, re.MULTILINE)
    return {named or _slug(heading) for heading, named in headings}


def _slug(heading: str) -> str:
    words = re.sub(r"[^\w\s-]", "", heading.replace("`", "").lower())
    return re.sub(r"[\s-]+", "-", words).strip("-")


def output_differs(expected: str, actual: str) -> str | None:
    """
    Why an output is not what the page shows, or None.

    Lines are compared without regard to the width of gaps and to what differs from one run to the next. `...` stands
    for anything: for any lines where it is a line of its own.
    """
    wanted = [line.strip() for line in expected.strip().splitlines()]
    seen = [line.strip() for line in actual.strip().splitlines()]
    at = 0
    skipping = False
    for line in wanted:
        if line == "...":
            skipping = True
            continue
        pattern = re.compile(_pattern(line))
        matching = (number for number in range(at, len(seen)) if pattern.fullmatch(seen[number]))
        found = next(matching, None) if skipping else (at if at in range(len(seen)) else None)
        if found is None or not pattern.fullmatch(seen[found]):
            instead = seen[at] if at < len(seen) else "(nothing more)"
            return f"the page shows {line!r}, and there is {instead!r}"
        at, skipping = found + 1, False
    if at < len(seen) and not skipping:
        return f"the page does not show {seen[at]!r}"
    return None


def _pattern(line: str) -> str:
    parts, at = [], 0
    for found in _VARYING.finditer(line):
        parts += [_literal(line[at : found.start()]), _MASKS[str(found.lastgroup)]]
        at = found.end()
    return "".join([*parts, _literal(line[at:])])


def _literal(text: str) -> str:
    """The pattern of a text: gaps of any width, `...` for anything."""
    pieces = (r"\s+".join(re.escape(word) for word in re.split(r"\s+", piece)) for piece in text.split("..."))
    return ".*".join(pieces)
