"""
Ranking files by risk: what is wrong with a file, times how often it is touched.

All arithmetic is on whole numbers (tenths of a point), all orders are total (ties are broken by path), and
nothing here looks at a clock: the same commit and the same tools give the same bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, get_args

from pydantic import BaseModel, TypeAdapter

from segue.demo.file_problems import WHOLE_REPOSITORY
from segue.demo.models import Churn, Evidence, Finding, History, Inventory, Kind, KindTotal, Risk, Unread

MOST_RISKS = 50
KINDS: tuple[Kind, ...] = get_args(Kind)
_LIMITS: dict[Kind, int] = {
    "complexity": 240,
    "risky patterns": 200,
    "missing tests": 80,
    "files": 60,
    "dead code": 60,
    "leftovers": 40,
    "missing docstrings": 20,
}
"""What the points of a kind approach and never reach, so that no kind drowns the others."""
_FINDINGS = TypeAdapter(list[Finding])
_PERCENT_FOR_CHURN = 100
_PERCENT_FOR_FIXES = 50


class Ranked(NamedTuple):
    """`risks` are the first `MOST_RISKS` of `files` files that have any finding."""

    risks: list[Risk]
    files: int


class FindingsFile(BaseModel):
    """The document `findings.json`: the same bytes for the same commit and tools."""

    repository: str
    commit: str | None
    tools: dict[str, str]
    history: str
    files: int
    lines: int
    unread: list[Unread]
    ranking: list[Risk]
    findings: list[Finding]


def rank_files(findings: Iterable[Finding], history: History) -> Ranked:
    """Rank the files that have findings. A file that changes most often in the repository counts twice."""
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.path != WHOLE_REPOSITORY:
            by_path[finding.path].append(finding)
    churn = {file.path: file for file in history.files}
    most = max((file.commits for file in history.files), default=0)
    risks = [_risk(path, members, churn.get(path), most) for path, members in by_path.items()]
    risks.sort(key=lambda risk: (-risk.points, risk.path))
    return Ranked(risks[:MOST_RISKS], len(risks))


def findings_file(
    inventory: Inventory,
    history: History,
    tools: Mapping[str, str],
    findings: Sequence[Finding],
    ranked: Ranked,
    unread: Sequence[Unread],
) -> FindingsFile:
    """Put `findings.json` together, in an order that depends on its content alone."""
    return FindingsFile(
        repository=inventory.name,
        commit=inventory.commit,
        tools=dict(sorted(tools.items())),
        history=history.note,
        files=inventory.files,
        lines=inventory.lines,
        unread=list(unread),
        ranking=ranked.risks,
        findings=sorted(findings, key=_in_order),
    )


def totals_of(pieces: Iterable[Evidence]) -> list[KindTotal]:
    """The evidence of all groups summed up by kind."""
    by_kind: dict[Kind, list[Evidence]] = defaultdict(list)
    for piece in pieces:
        by_kind[piece.kind].append(piece)
    return [
        KindTotal(
            kind=kind,
            examined=sum(piece.examined for piece in by_kind[kind]),
            findings=sum(piece.findings for piece in by_kind[kind]),
            points=sum(piece.points for piece in by_kind[kind]),
        )
        for kind in KINDS
    ]


def findings_to_json(findings: list[Finding]) -> bytes:
    """Findings as they are kept in an artifact."""
    return _FINDINGS.dump_json(findings)


def findings_from_json(content: bytes) -> list[Finding]:
    """The findings behind an artifact."""
    return _FINDINGS.validate_json(content)


def merge_unread(lists: Iterable[Iterable[Unread]]) -> list[Unread]:
    """One entry for each path, with the first reason in alphabetical order, sorted by path."""
    reasons: dict[str, str] = {}
    for item in (item for items in lists for item in items):
        reasons[item.path] = min(item.reason, reasons.get(item.path, item.reason))
    return [Unread(path=path, reason=reason) for path, reason in sorted(reasons.items())]


def _risk(path: str, findings: Sequence[Finding], churn: Churn | None, most_commits: int) -> Risk:
    sums: Counter[Kind] = Counter()
    for finding in findings:
        sums[finding.kind] += finding.points
    parts = {kind: _flattened(sums[kind], _LIMITS[kind]) for kind in KINDS if sums[kind]}
    percent = 100
    if churn is not None and most_commits > 1:
        percent += _PERCENT_FOR_CHURN * churn.commits // most_commits
        percent += _PERCENT_FOR_FIXES * churn.fixes // churn.commits
    return Risk(
        path=path,
        points=sum(parts.values()) * percent // 100,
        parts=parts,
        commits=churn.commits if churn else 0,
        fixes=churn.fixes if churn else 0,
        reasons=_reasons(findings, churn),
    )


def _flattened(points: int, limit: int) -> int:
    """More points are never less, and never more than the limit; at the limit it is half of it."""
    return limit * points // (limit + points)


def _reasons(findings: Sequence[Finding], churn: Churn | None) -> list[str]:
    """The heaviest finding of each kind, the heaviest kind first; then history."""
    by_kind: dict[Kind, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    reasons = []
    for kind in sorted(by_kind, key=lambda kind: (-sum(finding.points for finding in by_kind[kind]), kind)):
        members = by_kind[kind]
        heaviest = min(members, key=lambda finding: (-finding.points, finding.line, finding.message))
        where = f" (line {heaviest.line})" if heaviest.line and kind != "missing docstrings" else ""
        more = f", and {len(members) - 1} more" if len(members) > 1 else ""
        reasons.append(f"{heaviest.message}{where}{more}")
    if churn is not None and churn.commits > 1:
        fixes = f", {churn.fixes} of them repairs" if churn.fixes else ""
        reasons.append(f"changed in {churn.commits} commits{fixes}")
    return reasons


def _in_order(finding: Finding) -> tuple[str, int, str, str, str]:
    return finding.path, finding.line, finding.kind, finding.rule, finding.message
