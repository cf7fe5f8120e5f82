"""Charts of the evidence as inline SVG, in the colours of the page (`report_html` defines the classes)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from segue.demo.document import points_in_words
from segue.demo.models import Churn, Kind, Language, Month, Risk
from segue.demo.svg import element, picture, text, title
from segue.demo.words import counted, visible

_BAR_WIDTH = 560
_SCATTER_WIDTH, _SCATTER_HEIGHT = 960, 380
_MONTHS_WIDTH, _MONTHS_HEIGHT = 460, 200
_MOST_LABELS = 10
_MOST_LANGUAGES = 6


def kind_class(kind: Kind) -> str:
    """The class that carries the colour of a kind of finding."""
    return f"k-{kind.replace(' ', '-')}"


def risk_bar(risk: Risk, most_points: int) -> str:
    """One file's points as a bar whose parts are the kinds of findings, with what history adds at the end."""
    scale = _BAR_WIDTH / max(most_points, 1)
    history = risk.points - sum(risk.parts.values())
    parts: list[tuple[str, str, int]] = [
        (kind_class(kind), kind, points)
        for kind, points in sorted(risk.parts.items(), key=lambda part: (-part[1], part[0]))
    ]
    if history > 0:
        parts.append(("k-history", "for how often it changes", history))
    x, bars = 0.0, []
    for class_, what, points in parts:
        width = max(points * scale - 1, 0.5)
        words = title(f"{what}: {points_in_words(points)}")
        bars.append(element("rect", words, class_=class_, x=x, width=width, height=12, rx=2))
        x += points * scale
    size = f"0 0 {_BAR_WIDTH} 12"
    return element("svg", *bars, class_="riskbar", viewBox=size, preserveAspectRatio="none")


def hot_spots(risks: Sequence[Risk]) -> str:
    """Files by how often they change (right) and by what is wrong with them (up); top right hurts most."""
    left, right, bottom = 52, _SCATTER_WIDTH - 8, _SCATTER_HEIGHT - 40
    most_commits = max(risk.commits for risk in risks)
    most_points = max(sum(risk.parts.values()) for risk in risks)
    middle = (left + right) / 2
    commits = f"commits that touched the file (most: {most_commits:,})"
    points = f"findings, in points (most: {points_in_words(most_points)})"
    parts = [
        element("rect", class_="zone", x=middle, y=12, width=right - middle, height=(bottom - 12) / 2, rx=8),
        element("line", class_="axis", x1=left, x2=right, y1=bottom, y2=bottom),
        element("line", class_="axis", x1=left, x2=left, y1=12, y2=bottom),
        text(commits, middle, bottom + 28, "tick"),
        element("g", text(points, 0, 0, "tick"), transform=f"translate(24 {bottom / 2:.0f}) rotate(-90)"),
    ]
    labels: list[tuple[float, float]] = []
    for risk in risks:
        x = left + 12 + (right - left - 32) * risk.commits / max(most_commits, 1)
        y = bottom - 8 - (bottom - 36) * sum(risk.parts.values()) / max(most_points, 1)
        words = f"{risk.path}: {counted(risk.commits, 'commit')}, {points_in_words(risk.points)} points"
        parts.append(element("circle", title(visible(words)), class_="dot", cx=x, cy=y, r=5))
        crowded = any(abs(x - other_x) < 160 and abs(y - other_y) < 14 for other_x, other_y in labels)
        if len(labels) < _MOST_LABELS and not crowded:
            labels.append((x, y))
            parts.append(_dot_label(risk.path, x, y))
    return picture(_SCATTER_WIDTH, _SCATTER_HEIGHT, "Files by commits and by findings", *parts)


def commits_by_month(months: Sequence[Month]) -> str:
    """A bar for each month."""
    most = max(month.commits for month in months)
    step = (_MONTHS_WIDTH - 16) / len(months)
    bottom = _MONTHS_HEIGHT - 20
    parts = [text(f"most: {counted(most, 'commit')}", 8, 12, "tick first")]
    for number, month in enumerate(months):
        height = max((bottom - 20) * month.commits / most, 0.8)
        words = title(f"{month.name}: {counted(month.commits, 'commit')}")
        x, width = 8 + number * step, min(step * 0.8, 40)
        parts.append(
            element("rect", words, class_="bar", x=x, y=bottom - height, width=width, height=height, rx=2)
        )
    parts.append(text(months[0].name, 8, _MONTHS_HEIGHT - 4, "tick first"))
    if len(months) > 1:
        parts.append(text(months[-1].name, _MONTHS_WIDTH - 8, _MONTHS_HEIGHT - 4, "tick last"))
    return picture(_MONTHS_WIDTH, _MONTHS_HEIGHT, "Commits by month", *parts)


def language_bar(languages: Sequence[Language]) -> str:
    """One bar, divided by lines of code; the languages after the sixth are put together."""
    total = sum(language.lines for language in languages) or 1
    shares = [(language.name, language.lines) for language in languages[:_MOST_LANGUAGES]]
    rest = sum(language.lines for language in languages[_MOST_LANGUAGES:])
    if rest:
        shares.append(("other", rest))
    x, bars, legend = 0.0, [], []
    for number, (name, lines) in enumerate(shares):
        width = _BAR_WIDTH * lines / total
        words = title(f"{name}: {counted(lines, 'line')}")
        bars.append(
            element("rect", words, class_=f"l-{number}", x=x, width=max(width - 1, 0.5), height=14, rx=3)
        )
        legend.append(f'<span><i class="swatch l-{number}"></i>{escape(name)} {lines / total:.0%}</span>')
        x += width
    size = f"0 0 {_BAR_WIDTH} 14"
    bar = element("svg", *bars, class_="languages", viewBox=size, preserveAspectRatio="none")
    return f'{bar}<p class="legend">{"".join(legend)}</p>'


def kinds_legend(totals: Mapping[Kind, int]) -> str:
    """The colours of the kinds that occur, and of history."""
    items = [f'<span><i class="swatch {kind_class(kind)}"></i>{escape(kind)}</span>' for kind in totals]
    items.append('<span><i class="swatch k-history"></i>changes often</span>')
    return f'<p class="legend">{"".join(items)}</p>'


def busiest(files: Sequence[Churn], most: int) -> list[Churn]:
    """The files that history touched most."""
    return [churn for churn in files if churn.commits > 1][:most]


def _dot_label(path: str, x: float, y: float) -> str:
    name = visible(path).rsplit("/", 1)[-1]
    if x > _SCATTER_WIDTH * 0.7:
        return text(name, x - 9, y + 4, "tick last")
    return text(name, x + 9, y + 4, "tick first")
