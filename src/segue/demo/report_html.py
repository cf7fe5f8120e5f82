"""
The report as one HTML page that needs nothing else: no script, no font, no request; light and dark.

A policy in the page forbids every load, so that even a mistake in escaping could not call home. The part
about the run itself (graph, timeline) can only be drawn once the run has ended: `with_run` puts it between
two marks, again and again if need be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from segue.app.working import Totals
from segue.demo.charts import (
    busiest,
    commits_by_month,
    hot_spots,
    kind_class,
    kinds_legend,
    language_bar,
    risk_bar,
)
from segue.demo.document import (
    MEANINGS,
    Document,
    about_whole,
    examples,
    headline,
    method,
    points_in_words,
)
from segue.demo.models import Finding, Risk
from segue.demo.pictures import Pictures
from segue.demo.review_checks import confidence
from segue.demo.words import counted, visible
from segue.domain.measures import bytes_in_words, seconds_in_words

_RUN_BEGINS, _RUN_ENDS = "<!-- the run: begin -->", "<!-- the run: end -->"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MOST_RISKS = 15
MOST_BUSY = 8
MOST_UNREAD = 40


def html_report(document: Document) -> str:
    """The whole page, still without the part about the run."""
    style = files("segue.demo").joinpath("report.css").read_text("utf-8")
    name = escape(visible(document.inventory.name))
    body = [
        *_header(document, name),
        *_risks(document),
        *_history(document),
        *_findings(document),
        *_trust(document),
        f"{_RUN_BEGINS}{_RUN_ENDS}",
        *_method(document),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Review of {name}</title>\n<style>\n{style}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def with_run(page: str, totals: Totals, pictures: Pictures) -> str:
    """The page with the part about the run, in place of an earlier one; `ValueError` for other pages."""
    before, begin, rest = page.partition(_RUN_BEGINS)
    _, end, after = rest.partition(_RUN_ENDS)
    if not begin or not end:
        raise ValueError("this page has no place for the run: it was not written by segue demo")
    coordinating = seconds_in_words(totals.coordinating_seconds)
    share = totals.coordinating_seconds / totals.wall_seconds if totals.wall_seconds else 0.0
    section = (
        '<section><h2>How the agents worked</h2><div class="figures inside">'
        + _figure(seconds_in_words(totals.wall_seconds), "wall time")
        + _figure(seconds_in_words(totals.working_seconds), "at least one agent worked")
        + _figure(coordinating, f"nobody worked: coordination, {share:.1%}")
        + _figure(f"{totals.handoffs:,}", "hand-offs")
        + _figure(bytes_in_words(totals.handoff_bytes), "crossed in them")
        + f'</div><div class="scroll">{pictures.graph}</div>'
        '<p class="legend"><span>solid: an output or a whole hand-off</span>'
        "<span>dashed: a Later, for which the receiver does not wait to start</span>"
        '<span><i class="swatch again"></i>claimed again, after a crash or a failure</span></p>'
        f'<div class="scroll">{pictures.timeline}</div></section>'
    )
    return f"{before}{begin}{section}{end}{after}"


def _header(document: Document, name: str) -> Iterator[str]:
    inventory = document.inventory
    commit = f" at {escape(inventory.commit[:12])}" if inventory.commit else ""
    sentences = [*document.opening, *(f"{finding.message}." for finding in about_whole(document))]
    yield f'<header><p class="eyebrow">Repository review{commit}</p><h1>{name}</h1>'
    yield f'<p class="lead">{_text(headline(document))}</p>'
    yield f'<p class="soft">{_text(" ".join(sentences))}</p></header>'
    found = sum(total.findings for total in document.totals)
    yield '<div class="figures">'
    yield _figure(f"{inventory.files:,}", "files")
    yield _figure(f"{inventory.lines:,}", "lines")
    yield _figure(f"{found:,}", "findings")
    yield _figure(f"{document.history.commits:,}", "commits read")
    yield _figure(f"{confidence(document.review):.2f}", "confidence")
    yield "</div>"


def _figure(number: str, what: str) -> str:
    return f'<div class="figure"><b>{number}</b><span>{what}</span></div>'


def _risks(document: Document) -> Iterator[str]:
    risks = document.findings.ranking
    if not risks:
        return
    totals = {total.kind: total.findings for total in document.totals if total.findings}
    yield "<section><h2>Where to look first</h2>"
    yield f'<p class="soft">The {_first(len(risks))} of {counted(document.ranked, "file")} with findings. '
    yield "Longer is riskier; the colours say why.</p>"
    yield kinds_legend(totals)
    yield '<ol class="risks">'
    for number, risk in enumerate(risks[:MOST_RISKS], start=1):
        yield _risk(number, risk, risks[0].points)
    yield "</ol></section>"


def _first(count: int) -> str:
    return f"first {MOST_RISKS}" if count > MOST_RISKS else "files"


def _risk(number: int, risk: Risk, most_points: int) -> str:
    reasons = "; ".join(risk.reasons)
    return (
        f'<li><div class="head"><span class="rank">{number}</span><code>{_text(risk.path)}</code>'
        f'<span class="points">{points_in_words(risk.points)}</span></div>'
        f'<div class="body">{risk_bar(risk, most_points)}'
        f'<div class="reasons">{_text(reasons)}</div></div></li>'
    )


def _history(document: Document) -> Iterator[str]:
    history, risks = document.history, document.findings.ranking
    languages = document.inventory.languages
    if languages:
        yield f"<section><h2>What it is made of</h2>{language_bar(languages)}</section>"
    if not history.files:
        return
    if any(risk.commits > 1 for risk in risks):
        yield "<section><h2>Hot spots</h2>"
        yield '<p class="soft">Troubled files that also change often: the upper right.</p>'
        yield f"{hot_spots(risks)}</section>"
    yield f'<section><h2>History</h2><p class="soft">{_text(history.note)}</p><div class="two"><div>'
    yield f"<h3>Commits by month</h3>{commits_by_month(history.months)}</div><div>"
    busy = busiest(history.files, MOST_BUSY)
    if busy:
        yield '<h3>Changed most</h3><div class="small-text">'
        for churn in busy:
            fixes = f", {counted(churn.fixes, 'repair')}" if churn.fixes else ""
            commits = counted(churn.commits, "commit")
            yield f'<div><code>{_text(churn.path)}</code> <span class="soft">{commits}{fixes}</span></div>'
        yield "</div>"
    yield "</div></div></section>"


def _findings(document: Document) -> Iterator[str]:
    totals = {total.kind: total for total in document.totals}
    shown = examples(document)
    if not shown:
        return
    yield "<section><h2>What was found</h2>"
    yield '<p class="soft">The heaviest of each kind; all are in <code>findings.json</code>.</p>'
    for number, (kind, members) in enumerate(shown.items()):
        total = totals[kind]
        yield f'<details class="kind"{" open" if number == 0 else ""}><summary>'
        yield f'<i class="swatch {kind_class(kind)}"></i><b>{kind.capitalize()}</b>'
        examined = counted(total.examined, "file")
        yield f'<span class="soft">{escape(MEANINGS[kind])} {examined} examined.</span>'
        yield f'<span class="count-badge">{total.findings:,}</span></summary>'
        yield f"<ul>{''.join(_finding(finding) for finding in members)}</ul></details>"
    yield "</section>"


def _finding(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    return f'<li><code>{_text(place)}</code> <span class="soft">{_text(finding.message)}</span></li>'


def _trust(document: Document) -> Iterator[str]:
    yield "<section><h2>How far to trust this</h2>"
    yield f'<p class="soft">Confidence {confidence(document.review):.2f}, the weighted share of these:</p>'
    for check in document.review.checks:
        share = f"{check.share:.0%}"
        yield (
            f'<div class="check"><span>{_text(check.question)}</span><b>{share}</b>'
            f'<div class="meter"><i style="width:{share}"></i></div>'
            f'<span class="soft small-text">{_text(check.answer)}</span></div>'
        )
    yield _list(document.review.caveats)
    if document.findings.unread:
        yield f"<h3>Not looked into: {counted(len(document.findings.unread), 'path')}</h3>"
        yield _list(f"{item.path}: {item.reason}" for item in document.findings.unread[:MOST_UNREAD])
        if len(document.findings.unread) > MOST_UNREAD:
            yield f'<p class="soft small-text">and {len(document.findings.unread) - MOST_UNREAD:,} more</p>'
    yield "</section>"


def _method(document: Document) -> Iterator[str]:
    yield f'<section><h2>How it was made</h2><p class="soft">{_text(method(document))}</p></section>'


def _list(items: Iterable[str]) -> str:
    return f'<ul class="small-text soft">{"".join(f"<li>{_text(item)}</li>" for item in items)}</ul>'


def _text(text: str) -> str:
    return escape(visible(text))
