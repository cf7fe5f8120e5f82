"""Reading git's history: which files change often, and how often the change was a repair."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segue.demo.git import GitError, git
from segue.demo.models import Churn, History, HistoryReach, Month
from segue.demo.words import counted, shown

MOST_COMMITS = 3_000
MOST_MONTHS = 36
HISTORY_SECONDS = 60.0
_FIX = re.compile(
    r"\b(fix(e[sd]|ing)?|bugs?|bugfix|regressions?|revert(ed|s)?|crash(es)?|hotfix)\b", re.IGNORECASE
)
_HEAD = b"\x01"
_FORMAT = "%x01%H%x02%cd%x02%aE%x02%s"


class Change(NamedTuple):
    """One file of one commit; lines are 0 for binaries."""

    path: str
    lines: int


class Commit(NamedTuple):
    """A commit as `git log` tells it: `month` like `2025-03`."""

    digest: str
    author: str
    month: str
    is_fix: bool
    changes: list[Change]


def read_history(root: str) -> History:
    """
    What the last `MOST_COMMITS` commits did to the files below `root`. Never raises: without git it says so.

    Merges are left out, their commits are counted by themselves. The oldest commit of a shallow clone seems
    to add every file: it is left out too. Renames are not followed.
    """
    try:
        commits, total, edge = _read_log(root)
    except GitError as reason:
        return _nothing(f"No history: {reason}.")
    kept = [commit for commit in commits if commit.digest not in edge]
    if not commits:
        return _nothing("No history: there is no commit yet that touches these files.")
    reach: HistoryReach = "shallow" if edge else ("single commit" if len(commits) == 1 else "full")
    return History(
        reach=reach,
        note=_note(reach, len(kept), total),
        commits=len(kept),
        authors=len({commit.author for commit in kept}),
        months=_months(kept),
        files=_churn(kept) if reach != "single commit" else [],
    )


def _read_log(root: str) -> tuple[list[Commit], int, frozenset[str]]:
    """The commits, how many there are in all, and the digests at the edge of a shallow clone."""
    git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    total = int(git(root, "rev-list", "--count", "--no-merges", "HEAD", "--", "."))
    edge: frozenset[str] = frozenset()
    if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        edge = frozenset(_shallow_edge(root))
    output = git(
        root, "log", "--no-merges", f"--max-count={MOST_COMMITS}", "--numstat", "-z", "--no-renames",
        "--no-ext-diff", "--no-textconv", "--no-color", "--relative", "--date=format:%Y-%m",
        f"--format={_FORMAT}", "HEAD", "--", ".",
        timeout_seconds=HISTORY_SECONDS,
    )  # fmt: skip
    return list(_parse(output)), total, edge


def _shallow_edge(root: str) -> Iterator[str]:
    """Commits whose parents were cut off: git shows them without parents, their own record names some."""
    for line in git(root, "rev-list", "--max-parents=0", "HEAD").decode("ascii").split():
        record = git(root, "cat-file", "commit", line)
        if b"\nparent " in record.split(b"\n\n", 1)[0]:
            yield line


def _parse(output: bytes) -> Iterator[Commit]:
    """
    Split by NUL, a piece is the head of a commit (it begins with its mark) or one file of it (a number).

    Names and subjects may hold any other byte, so that nothing is looked for inside them.
    """
    commit: Commit | None = None
    for piece in output.split(b"\0"):
        piece = piece.lstrip(b"\n")
        if piece.startswith(_HEAD):
            if commit is not None:
                yield commit
            digest, month, author, subject = piece[1:].decode("utf-8", "replace").split("\x02", 3)
            commit = Commit(digest, author, month, _FIX.search(subject) is not None, [])
        elif commit is not None and piece.count(b"\t") >= 2:
            added, removed, name = piece.split(b"\t", 2)
            commit.changes.append(Change(_path(name), _number(added) + _number(removed)))
    if commit is not None:
        yield commit


def _path(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return shown(name)


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() else 0


def _churn(commits: Iterable[Commit]) -> list[Churn]:
    """By path, the most touched first."""
    touched: Counter[str] = Counter()
    fixed: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    authors: dict[str, set[str]] = {}
    for commit in commits:
        for change in commit.changes:
            touched[change.path] += 1
            fixed[change.path] += commit.is_fix
            lines[change.path] += change.lines
            authors.setdefault(change.path, set()).add(commit.author)
    return [
        Churn(path=path, commits=count, fixes=fixed[path], authors=len(authors[path]), lines=lines[path])
        for path, count in sorted(touched.items(), key=lambda item: (-item[1], item[0]))
    ]


def _months(commits: Iterable[Commit]) -> list[Month]:
    """Months without a commit included, so that a picture tells the truth; the last `MOST_MONTHS` of them."""
    counts = Counter(commit.month for commit in commits)
    if not counts:
        return []
    first, last = min(counts), max(counts)
    year, month = int(last[:4]), int(last[5:])
    names: list[str] = []
    while len(names) < MOST_MONTHS and (name := f"{year:04d}-{month:02d}") >= first:
        names.append(name)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return [Month(name=name, commits=counts[name]) for name in reversed(names)]


def _note(reach: HistoryReach, commits: int, total: int) -> str:
    if reach == "single commit":
        return "History is a single commit: it cannot say which files change often."
    if reach == "shallow":
        return f"History is shallow: {counted(commits, 'commit')} of it, the older ones were not fetched."
    if total > commits:
        return f"History: the last {commits:,} of {total:,} commits."
    return f"History: all {counted(commits, 'commit')}."


def _nothing(note: str) -> History:
    return History(reach="none", note=note, commits=0, authors=0, months=[], files=[])
