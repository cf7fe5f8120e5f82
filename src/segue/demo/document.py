"""What the report says, before it is Markdown or HTML: its sentences are made of what was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from segue.demo.file_problems import WHOLE_REPOSITORY
from segue.demo.models import Finding, History, Inventory, Kind, KindTotal, Review
from segue.demo.ranking import KINDS, FindingsFile
from segue.demo.words import counted

MOST_EXAMPLES = 10
MEANINGS: dict[Kind, str] = {
    "complexity": "Functions with a cyclomatic complexity over 10 (ruff C901).",
    "missing tests": "Python files of which no test mentions a single public name.",
    "missing docstrings": "Files whose public modules, classes, methods or functions say nothing (ruff D1).",
    "dead code": "What vulture finds unused and no word of the repository mentions; code that cannot run.",
    "leftovers": "Unused imports and variables, code in comments, TODO and FIXME, prints, debuggers.",
    "risky patterns": "Likely mistakes and holes (some of ruff's S, B, E, F and PL rules), secrets.",
    "files": "Files that are very long or very large.",
}


class Document(NamedTuple):
    """Everything that the writers need. `opening` says in sentences what the repository is."""

    opening: Sequence[str]
    inventory: Inventory
    history: History
    findings: FindingsFile
    totals: Sequence[KindTotal]
    ranked: int
    review: Review


def headline(document: Document) -> str:
    """One sentence that says the most important thing."""
    if document.inventory.files == 0:
        return "There is no file to review."
    risks = document.findings.ranking
    if not risks:
        return f"None of {counted(document.inventory.files, 'file')} has a finding."
    found = sum(total.findings for total in document.totals)
    return (
        f"{counted(found, 'finding')} in {counted(document.ranked, 'file')} of {document.inventory.files:,}; "
        f"look first at {risks[0].path}."
    )


def about_repository(inventory: Inventory, history: History) -> list[str]:
    """What the repository is, in sentences."""
    sentences = list(inventory.notes)
    if inventory.languages:
        largest = inventory.languages[0]
        tests = sum(language.tests for language in inventory.languages)
        others = len(inventory.languages) - 1
        beside = f", beside {counted(others, 'other language')}" if others else ""
        sentences.append(
            f"Mostly {largest.name}: {counted(largest.lines, 'line')} in {counted(largest.files, 'file')}"
            f"{beside}; {counted(tests, 'test file')}."
        )
    elif inventory.files:
        sentences.append("No file of a programming language that this review knows.")
    set_aside = [
        counted(inventory.roles[role], f"{role} file")
        for role in ("vendored", "generated", "binary", "example")
        if inventory.roles.get(role)
    ]
    if set_aside:
        sentences.append(f"Set aside: {', '.join(set_aside)}.")
    sentences.append(history.note)
    return sentences


def method(document: Document) -> str:
    """How the findings and the ranking came about."""
    tools = ", ".join(f"{name} {version}" for name, version in document.findings.tools.items())
    return (
        f"By agents that hand over to one another through Segue, with {tools} and git; no model, no network. "
        "A file's points are what its findings weigh (each kind has a limit), up to doubled for how often it "
        "changes, and half again for how many of those changes were repairs. The same commit and tools give "
        "the same findings.json, byte for byte."
    )


def about_whole(document: Document) -> list[Finding]:
    """Findings that concern the repository and no single file."""
    return [finding for finding in document.findings.findings if finding.path == WHOLE_REPOSITORY]


def examples(document: Document) -> dict[Kind, list[Finding]]:
    """The heaviest findings of each kind, at most `MOST_EXAMPLES`, ties broken by place."""
    by_kind: dict[Kind, list[Finding]] = defaultdict(list)
    for finding in document.findings.findings:
        if finding.path != WHOLE_REPOSITORY:
            by_kind[finding.kind].append(finding)
    return {
        kind: sorted(by_kind[kind], key=lambda finding: (-finding.points, finding.path, finding.line))[
            :MOST_EXAMPLES
        ]
        for kind in KINDS
        if by_kind[kind]
    }


def points_in_words(tenths: int) -> str:
    """`12.5` for 125 tenths of a point."""
    return f"{tenths // 10}.{tenths % 10}"
