"""
Putting the report on disk: each file appears whole or not at all, however often and by whomever it is
written.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from segue.app.views import RunView
from segue.demo.document import Document
from segue.demo.pictures import pictures_of
from segue.demo.report_html import html_report, with_run
from segue.demo.report_markdown import markdown_report

FINDINGS, MARKDOWN, PAGE = "findings.json", "report.md", "report.html"


def write_report(folder: Path, document: Document) -> list[str]:
    """Write the three files and return their names. Writing them again is harmless."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FINDINGS, document.findings.model_dump_json(indent=1) + "\n")
    write_whole(folder / MARKDOWN, markdown_report(document))
    write_whole(folder / PAGE, html_report(document))
    return [FINDINGS, MARKDOWN, PAGE]


def add_run(folder: Path, run: RunView) -> None:
    """
    Draw how the agents worked into the page, once the run has ended: only then is everything known.

    Raises `ValueError` if the page is not one that `write_report` wrote.
    """
    page = folder / PAGE
    write_whole(page, with_run(page.read_text("utf-8"), run.totals, pictures_of(run)))


def write_whole(path: Path, text: str) -> None:
    """Write under a temporary name beside the file, then rename: no reader ever sees a half."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
