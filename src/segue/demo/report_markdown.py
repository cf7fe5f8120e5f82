"""The report as Markdown. Whatever comes from the repository is escaped, so that it cannot become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.demo.document import (
    MEANINGS,
    Document,
    about_whole,
    examples,
    headline,
    method,
    points_in_words,
)
from segue.demo.models import Finding
from segue.demo.review_checks import confidence
from segue.demo.words import counted, visible

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
MOST_IN_TABLE = 15
MOST_UNREAD = 30


def markdown_report(document: Document) -> str:
    """The whole report."""
    chapters = [
        *_opening(document),
        *_risks(document),
        *_findings(document),
        *_trust(document),
        *_method(document),
    ]
    return "\n".join(chapters) + "\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    """Text as code, fenced by more backticks than it contains itself."""
    text = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _opening(document: Document) -> Iterator[str]:
    inventory = document.inventory
    yield f"# Review of {plain(inventory.name)}"
    yield ""
    yield f"**{plain(headline(document))}**"
    yield ""
    if inventory.commit:
        yield f"Commit {code(inventory.commit)}."
    for sentence in document.opening:
        yield plain(sentence)
    for finding in about_whole(document):
        yield f"{plain(finding.message)}."
    yield ""


def _risks(document: Document) -> Iterator[str]:
    risks = document.findings.ranking[:MOST_IN_TABLE]
    if not risks:
        return
    yield "## Where to look first"
    yield ""
    for number, risk in enumerate(risks, start=1):
        yield f"{number}. {code(risk.path)}: {points_in_words(risk.points)} points"
        yield from (f"    - {plain(reason)}" for reason in risk.reasons)
    yield ""
    if document.ranked > len(risks):
        yield f"{counted(document.ranked, 'file')} have findings; all are in {code('findings.json')}."
        yield ""


def _findings(document: Document) -> Iterator[str]:
    totals = {total.kind: total for total in document.totals}
    for kind, members in examples(document).items():
        total = totals[kind]
        yield f"## {kind.capitalize()}: {total.findings:,}"
        yield ""
        yield f"{MEANINGS[kind]} {counted(total.examined, 'file')} examined."
        yield ""
        yield from (f"- {_place(finding)}: {plain(finding.message)}" for finding in members)
        yield ""


def _place(finding: Finding) -> str:
    return code(f"{finding.path}:{finding.line}" if finding.line else finding.path)


def _trust(document: Document) -> Iterator[str]:
    yield "## How far to trust this"
    yield ""
    yield f"Confidence {confidence(document.review):.2f}, which is the weighted share of:"
    yield ""
    for check in document.review.checks:
        share = f"{check.share:.0%} (weight {check.weight:.0%})"
        yield f"- {plain(check.question)}: {share}; {plain(check.answer)}"
    yield from (f"- {plain(caveat)}" for caveat in document.review.caveats)
    yield ""
    if document.findings.unread:
        yield f"### Not looked into: {counted(len(document.findings.unread), 'path')}"
        yield ""
        yield from (
            f"- {code(item.path)}: {plain(item.reason)}" for item in document.findings.unread[:MOST_UNREAD]
        )
        if len(document.findings.unread) > MOST_UNREAD:
            yield f"- and {len(document.findings.unread) - MOST_UNREAD:,} more, in {code('findings.json')}"
        yield ""


def _method(document: Document) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    yield plain(method(document))
