"""
The analysers: each looks at one group of files and returns its findings, sorted.

None of them raises on what it finds in a file: what it cannot read it lists. They raise `ToolError` if an
analyser is missing or breaks. The result depends on the files and on the versions of ruff and vulture, on
nothing else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from segue.demo.languages import in_test_folder
from segue.demo.models import Finding, Group, Kind, SourceFile, Unread
from segue.demo.python_names import Unused
from segue.demo.rules import (
    COMPLEXITY_RULE,
    DOCSTRINGS,
    LEAST_COMPLEXITY,
    LEFTOVERS,
    NAMES_ITS_SUBJECT,
    PRINTING,
    PRINTING_IS_ITS_JOB,
    REMARKS,
    RISKY,
    TOP_OF_PACKAGE_IGNORES,
    Rule,
)
from segue.demo.scan import Question, Remark, WordIndex
from segue.demo.tools import Diagnostic, lint, scan

_COMPLEXITY = re.compile(r"`(?P<name>.+)` is too complex \((?P<value>\d+) > \d+\)")
_QUOTED = re.compile(r"`([^`]+)`")


class Found(NamedTuple):
    """What one analyser found in one group, having looked at `examined` files."""

    examined: int
    findings: list[Finding]
    unread: list[Unread]


async def read_words(groups: Sequence[Group]) -> WordIndex:
    """Index the words of all groups together."""
    files = [file for group in groups for file in group.files]
    answer = await scan("words", Question(root=groups[0].root if groups else "/", files=files))
    return answer.index or WordIndex(words=0, complete=True, has_tests=False, once=[], stems=[], tests=[])


async def find_complexity(group: Group) -> Found:
    """Functions with more paths through them than anybody can keep in mind."""
    files = group.python("source")
    answer = await lint(
        group.root, files, [COMPLEXITY_RULE], [f"lint.mccabe.max-complexity={LEAST_COMPLEXITY}"]
    )
    findings = []
    for diagnostic in answer.diagnostics:
        matched = _COMPLEXITY.match(diagnostic.message)
        if matched:
            value = int(matched["value"])
            points = 2 * (value - LEAST_COMPLEXITY)
            message = f"{matched['name']} has a cyclomatic complexity of {value}"
            findings.append(_finding("complexity", diagnostic, message, points))
    return Found(len(files), findings, answer.unread)


async def find_missing_docstrings(group: Group) -> Found:
    """Public modules, classes, methods and functions that say nothing: one finding for each file."""
    files = group.python("source")
    answer = await lint(group.root, files, list(DOCSTRINGS))
    by_path: dict[str, list[Diagnostic]] = defaultdict(list)
    for diagnostic in answer.diagnostics:
        by_path[diagnostic.path].append(diagnostic)
    lines = {file.path: file.lines for file in group.files}
    findings = []
    for path, missing in sorted(by_path.items()):
        if lines[path] == 0:
            continue
        counts = Counter(DOCSTRINGS[diagnostic.rule] for diagnostic in missing)
        message = f"no docstring: {', '.join(_counted(what, counts[what]) for what in sorted(counts))}"
        findings.append(_finding("missing docstrings", missing[0], message, min(len(missing), 10)))
    return Found(len(files), findings, answer.unread)


async def find_risky_patterns(group: Group) -> Found:
    """Code that is often a mistake or a hole; and, in every text, merge conflicts and secrets."""
    answer = await lint(group.root, group.python("source"), list(RISKY))
    findings = [
        _ruled("risky patterns", diagnostic, RISKY[diagnostic.rule]) for diagnostic in answer.diagnostics
    ]
    texts = await scan("text", Question(root=group.root, files=group.files))
    by_path = {file.path: file for file in group.files}
    findings += [
        _remark("risky patterns", remark)
        for remark in texts.remarks
        if _is_serious(remark, by_path[remark.path])
    ]
    return Found(len(group.files), _sorted(findings), [*answer.unread, *texts.unread])


async def find_leftovers(group: Group) -> Found:
    """What somebody meant to clean up: unused names, code in comments, TODO, prints, debuggers."""
    files = group.python("source", "test", "example")
    answer = await lint(group.root, files, list(LEFTOVERS))
    findings = [
        _ruled("leftovers", diagnostic, LEFTOVERS[diagnostic.rule])
        for diagnostic in answer.diagnostics
        if not _is_its_job(diagnostic, group.root)
    ]
    others = [file for file in group.files if file.language != "Python" and file.role != "text"]
    texts = await scan("text", Question(root=group.root, files=others))
    findings += [
        _remark("leftovers", remark) for remark in texts.remarks if remark.rule not in ("conflict", "secret")
    ]
    return Found(len(files) + len(others), _sorted(findings), [*answer.unread, *texts.unread])


async def find_dead_code(group: Group, index: WordIndex) -> Found:
    """
    Code that cannot run and names that nothing in the whole repository mentions.

    A public name is reported only in a repository with tests: without, being mentioned nowhere means little.
    """
    files = group.python("source")
    question = Question(
        root=group.root,
        files=files,
        words=frozenset(index.once) if index.complete else frozenset(),
        stems=frozenset(index.stems),
    )
    answer = await scan("unused", question)
    findings = [_unused(unused) for unused in answer.unused if index.has_tests or not _is_public(unused)]
    return Found(len(files), _sorted(findings), answer.unread)


async def find_missing_tests(group: Group, index: WordIndex) -> Found:
    """
    Python files of which no test mentions a single public function or class: one finding for each file.

    In a repository without tests that would be every file: nothing is reported here, `find_file_problems`
    says it.
    """
    if not index.has_tests:
        return Found(0, [], [])
    files = group.python("source")
    answer = await scan("definitions", Question(root=group.root, files=files))
    mentioned = frozenset(index.tests)
    by_path: dict[str, list[str]] = defaultdict(list)
    for definition in answer.definitions:
        by_path[definition.path].append(definition.name)
    findings = []
    for path, names in sorted(by_path.items()):
        if mentioned.isdisjoint(names):
            of_them = f"its {len(names)} public names" if len(names) > 1 else "its only public name"
            first = ", ".join(sorted(names)[:3]) + (" ..." if len(names) > 3 else "")
            message = f"no test mentions {of_them} ({first})"
            points = min(10 + 2 * len(names), 30)
            findings.append(
                Finding(
                    kind="missing tests", path=path, line=0, rule="untested", message=message, points=points
                )
            )
    return Found(len(files), findings, answer.unread)


def _finding(kind: Kind, diagnostic: Diagnostic, message: str, points: int) -> Finding:
    return Finding(
        kind=kind,
        path=diagnostic.path,
        line=diagnostic.line,
        rule=diagnostic.rule,
        message=message,
        points=points,
    )


def _ruled(kind: Kind, diagnostic: Diagnostic, rule: Rule) -> Finding:
    """The rule's meaning, with the first name that ruff quotes where that is the name in question."""
    quoted = _QUOTED.search(diagnostic.message) if diagnostic.rule in NAMES_ITS_SUBJECT else None
    return _finding(kind, diagnostic, f"{rule.meaning}: {quoted[1]}" if quoted else rule.meaning, rule.points)


def _remark(kind: Kind, remark: Remark) -> Finding:
    rule = REMARKS[remark.rule]
    message = f"{rule.meaning}: {remark.text}" if remark.text else rule.meaning
    return Finding(
        kind=kind, path=remark.path, line=remark.line, rule=remark.rule, message=message, points=rule.points
    )


def _unused(unused: Unused) -> Finding:
    if unused.what == "unreachable":
        message, points = unused.name, 15 if unused.name.startswith("unreachable") else 6
    elif _is_public(unused):
        message, points = f"public {unused.what} {unused.name}: nothing in the repository mentions it", 4
    else:
        message, points = f"{unused.what} {unused.name}: nothing in the repository mentions it", 8
    return Finding(
        kind="dead code", path=unused.path, line=unused.line, rule=unused.what, message=message, points=points
    )


def _is_its_job(diagnostic: Diagnostic, root: str) -> bool:
    """An import that exports, a print in a script or below the line that says: only when run as a program."""
    name = PurePosixPath(diagnostic.path).name
    if diagnostic.rule in TOP_OF_PACKAGE_IGNORES:
        return name == "__init__.py"
    if diagnostic.rule not in PRINTING:
        return False
    if name in PRINTING_IS_ITS_JOB:
        return True
    lines = Path(root, diagnostic.path).read_bytes().splitlines()
    return any(line.startswith((b"if __name__", b"#!")) for line in lines[: diagnostic.line])


def _is_serious(remark: Remark, file: SourceFile) -> bool:
    """A conflict counts in code, a secret where it is not a fixture: tests are full of keys made for them."""
    if remark.rule == "conflict":
        return file.role != "text"
    return remark.rule == "secret" and file.role != "test" and not in_test_folder(file.path)


def _is_public(unused: Unused) -> bool:
    return unused.what != "unreachable" and not unused.name.startswith("_")


def _counted(what: str, count: int) -> str:
    if what == "the module":
        return what
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"1 {what}" if count == 1 else f"{count} {plural}"


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.path, finding.line, finding.rule, finding.message))
