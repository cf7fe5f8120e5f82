"""The report says what was found, escapes what it shows, and fetches nothing."""

from html.parser import HTMLParser

import pytest

from segue.app.working import Totals
from segue.demo.document import Document, about_repository, headline
from segue.demo.models import (
    Churn,
    Finding,
    Group,
    History,
    Inventory,
    KindTotal,
    Language,
    Month,
    SourceFile,
    Unread,
)
from segue.demo.pictures import Pictures
from segue.demo.ranking import findings_file, rank_files
from segue.demo.report_html import html_report, with_run
from segue.demo.report_markdown import code, markdown_report, plain
from segue.demo.review_checks import confidence, review_evidence

HOSTILE = '<img src=x onerror="alert(1)">`|*_\u202e\n# no.py'


class Tags(HTMLParser):
    """Collects the names of tags, the attributes that could load something, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loads: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.names.add(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href", "srcset", "onerror")]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.words += data


def document(root: str, path: str, *, history: bool = True) -> Document:
    """A document about a repository with a single file, every text of which is `path`."""
    file = SourceFile(path=path, language="Python", role="source", lines=9, bytes=90)
    inventory = Inventory(
        root=root,
        name=path,
        commit="c" * 40,
        notes=["One file."],
        files=1,
        lines=9,
        bytes=90,
        roles={"source": 1},
        languages=[Language(name="Python", files=1, tests=0, lines=9)],
        groups=[Group(name=path, root=root, files=[file])],
        largest=[file],
        has_readme=False,
        unread=[Unread(path=path, reason=path)],
    )
    churn = [Churn(path=path, commits=5, fixes=2, authors=1, lines=9)]
    past = History(
        reach="full" if history else "none",
        note="History: all 5 commits.",
        commits=5,
        authors=1,
        months=[Month(name="2024-01", commits=5)],
        files=churn if history else [],
    )
    findings = [Finding(kind="leftovers", path=path, line=3, rule="FIX002", message=path, points=2)]
    ranked = rank_files(findings, past)
    totals = [KindTotal(kind="leftovers", examined=1, findings=1, points=2)]
    review = review_evidence(
        inventory, 1.0 if history else 0.0, past.note, totals, findings, inventory.unread
    )
    tools = {"ruff": "1", "vulture": "2"}
    return Document(
        opening=about_repository(inventory, past),
        inventory=inventory,
        history=past,
        findings=findings_file(inventory, past, tools, findings, ranked, inventory.unread),
        totals=totals,
        ranked=ranked.files,
        review=review,
    )


def test_the_page_is_self_contained_and_escaped(tmp_path) -> None:
    """No script, image or link gets into the page, whatever names say, and loads are forbidden."""
    page = html_report(document(str(tmp_path), HOSTILE))
    tags = Tags(page)
    assert tags.names.isdisjoint({"script", "img", "link", "iframe", "object", "a"})
    assert tags.loads == []
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "\u202e" not in page
    assert "onerror" in tags.words, "the name is shown, as text"


def test_markdown_is_escaped(tmp_path) -> None:
    """A name cannot become markup: no line of the report begins with what it hides behind a line end."""
    report = markdown_report(document(str(tmp_path), HOSTILE))
    assert "\n# no.py" not in report
    assert "\u202e" not in report
    lines = [line for line in report.splitlines() if "<img" in line]
    assert lines, "the name is shown, as code"
    assert all("``" in line or "\\<img" in line for line in lines)


def test_words_stay_words() -> None:
    """Text is escaped by backslashes, code is fenced by more backticks than it holds."""
    assert plain("a_b <c> [d](e)") == r"a\_b \<c\> \[d\]\(e\)"
    assert code("plain.py") == "`plain.py`"
    assert code("a``b") == "```a``b```"
    assert code("`a`") == "`` `a` ``"


def test_both_reports_name_the_findings(tmp_path) -> None:
    """Markdown and page name the riskiest file, its reason, the confidence and what could not be read."""
    made = document(str(tmp_path), "core.py")
    assert headline(made) == "1 finding in 1 file of 1; look first at core.py."
    for text in (markdown_report(made), Tags(html_report(made)).words):
        assert "core.py:3" in text
        assert f"{confidence(made.review):.2f}" in text
        assert "Not looked into: 1 path" in text


def test_the_run_is_put_in_and_replaced(tmp_path) -> None:
    """The part about the run takes its place, and a second time the place of the first."""
    page = html_report(document(str(tmp_path), "core.py"))
    totals = Totals(2.0, 1.5, 0.5, 3.0, 12, 3_400)
    once = with_run(page, totals, Pictures("<svg>1</svg>", "<svg>2</svg>"))
    assert "1.50 s" in once
    assert "coordination, 25.0%" in once
    assert "3.4 KB" in once
    second = Pictures("<svg>3</svg>", "<svg>4</svg>")
    assert with_run(once, totals, second) == with_run(page, totals, second)
    with pytest.raises(ValueError, match="not written by segue demo"):
        with_run("<html></html>", totals, second)


def test_the_run_cannot_be_put_elsewhere(tmp_path) -> None:
    """A file that is named like the mark does not move the place of the run."""
    page = html_report(document(str(tmp_path), "<!-- the run: begin -->.py"))
    assert page.count("<!-- the run: begin -->") == 1


def test_without_history(tmp_path) -> None:
    """Without history there is no picture of it, and the confidence is lower."""
    full, none = (document(str(tmp_path), "core.py", history=history) for history in (True, False))
    assert "Commits by month" in html_report(full)
    assert "Commits by month" not in html_report(none)
    assert confidence(none.review) < confidence(full.review)


def test_confidence_falls_with_what_could_not_be_read(tmp_path) -> None:
    """A file that does not parse, and a finding whose line is not there, lower the confidence."""
    (tmp_path / "core.py").write_text("x = 1\n" * 9)
    sound = document(str(tmp_path), "core.py")
    parsed, _, _, verified = sound.review.checks
    assert (parsed.share, verified.share) == (0.0, 1.0)  # its only file is listed as unread
    (tmp_path / "core.py").write_text("x = 1\n")
    _, _, _, moved = document(str(tmp_path), "core.py").review.checks
    assert moved.share == 0.0


def test_what_did_not_apply_does_not_count(tmp_path) -> None:
    """Without Python, findings and history nothing speaks for the review: its confidence is low, not high."""
    inventory = document(str(tmp_path), "core.py").inventory.model_copy(
        update={"groups": [], "languages": [Language(name="Go", files=1, tests=0, lines=9)], "unread": []}
    )
    review = review_evidence(inventory, 0.0, "", [], [], [])
    assert [check.weight for check in review.checks] == [0.0, 0.2, 0.2, 0.0]
    assert confidence(review) == 0.25
