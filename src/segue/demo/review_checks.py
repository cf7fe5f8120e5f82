"""The review step: asking of the evidence how far it carries, and reading again the lines that it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from segue.demo.models import Check, Finding, HistoryReach, Inventory, KindTotal, Review, Unread
from segue.demo.words import counted

MOST_VERIFIED = 100
HISTORY_SHARES: dict[HistoryReach, float] = {"full": 1.0, "shallow": 0.5, "single commit": 0.0, "none": 0.0}


def review_evidence(
    inventory: Inventory,
    history_share: float,
    history_note: str,
    totals: Sequence[KindTotal],
    findings: Sequence[Finding],
    unread: Sequence[Unread],
) -> Review:
    """Ask four questions, each answered by a share from 0 to 1."""
    checks = [
        _parsed(inventory, unread),
        _known_languages(inventory),
        _history(history_share, history_note),
        _verified(inventory.root, findings),
    ]
    return Review(checks=checks, caveats=_caveats(inventory, totals))


def confidence(review: Review) -> float:
    """The weighted share of the checks, with three decimals. What did not apply has no weight."""
    weights = sum(check.weight for check in review.checks)
    return round(sum(check.share * check.weight for check in review.checks) / weights, 3) if weights else 0.0


def _parsed(inventory: Inventory, unread: Sequence[Unread]) -> Check:
    python = {file.path for group in inventory.groups for file in group.python("source", "test", "example")}
    broken = sum(item.path in python for item in unread)
    outside = sum(item.path.endswith((".py", ".pyi")) and item.path not in python for item in unread)
    known = len(python) + outside
    return Check(
        question="Python files that could be parsed",
        share=_share(known - broken - outside, known),
        weight=0.4 if known else 0.0,
        answer=f"{known - broken - outside:,} of {known:,}" if known else "there is no Python here",
    )


def _known_languages(inventory: Inventory) -> Check:
    """Languages other than Python get fewer questions: half a share."""
    lines = sum(language.lines for language in inventory.languages)
    python = sum(language.lines for language in inventory.languages if language.name == "Python")
    return Check(
        question="Lines of code that every analyser understands",
        share=_share(2 * python + (lines - python), 2 * lines),
        weight=0.2 if lines else 0.0,
        answer=f"{python:,} of {counted(lines, 'line')} are Python; the others are searched for less",
    )


def _history(share: float, note: str) -> Check:
    return Check(
        question="History that is here to be read",
        share=share,
        weight=0.2,
        answer=note,
    )


def _verified(root: str, findings: Sequence[Finding]) -> Check:
    """Open the files that the heaviest findings name and see whether each line is there."""
    heaviest = sorted(findings, key=lambda finding: (-finding.points, finding.path, finding.line))
    chosen = [finding for finding in heaviest if finding.line > 0][:MOST_VERIFIED]
    lines = {path: _count_lines(root, path) for path in sorted({finding.path for finding in chosen})}
    there = sum(finding.line <= lines[finding.path] for finding in chosen)
    return Check(
        question="Heaviest findings whose line was read again",
        share=_share(there, len(chosen)),
        weight=0.2 if chosen else 0.0,
        answer=f"{there} of {len(chosen)} are where they are said to be"
        if chosen
        else "nothing to read again",
    )


def _count_lines(root: str, path: str) -> int:
    try:
        return len(Path(root, path).read_bytes().splitlines())
    except OSError:
        return 0


def _caveats(inventory: Inventory, totals: Iterable[KindTotal]) -> list[str]:
    caveats = []
    if inventory.files and not inventory.languages:
        caveats.append("Without code there is little to find: only the files as such were looked at.")
    untested = [total for total in totals if total.kind == "missing tests" and total.examined == 0]
    if untested and any(language.name == "Python" for language in inventory.languages):
        caveats.append("Missing tests were not judged file by file: the repository has next to none.")
    return caveats


def _share(part: int, whole: int) -> float:
    """Of nothing, nothing was missed."""
    return round(part / whole, 3) if whole else 1.0
