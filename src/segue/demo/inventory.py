"""Listing what there is to review: from git where git knows the files, else from the folder itself."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from segue.demo.git import GitError, git, head_commit
from segue.demo.grouping import group_files
from segue.demo.languages import CODE_LANGUAGES, language_of, role_of
from segue.demo.models import Inventory, Language, Role, SourceFile, Unread
from segue.demo.words import counted, shown
from segue.errors import InputError

MOST_FILES = 50_000
MOST_BYTES = 1_000_000
"""A larger file is counted and named, and not reviewed."""
HEAD_BYTES = 8_192
MOST_UNREAD = 200
MOST_LARGEST = 20
_REVIEWED: frozenset[Role] = frozenset({"source", "test", "example", "text"})
_IGNORED_FOLDERS = frozenset({
    ".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".nox", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".uv"
})  # fmt: skip
_SYMLINK, _SUBMODULE = "120000", "160000"


class Listing(NamedTuple):
    """The names of the files, as bytes since a name can be anything, and how they were found."""

    names: list[bytes]
    commit: str | None
    notes: list[str]
    unread: list[Unread]


def take_inventory(repository: str) -> Inventory:
    """
    List, measure and group the files of a repository or a plain folder.

    Raises `InputError` if `repository` is not a folder. What cannot be read is listed in `unread`.
    """
    root = Path(repository).resolve()
    if not root.is_dir():
        raise InputError(f"{repository} is not a folder", remedy="give the path of a repository to review")
    listing = list_files(str(root))
    unread = list(listing.unread)
    files: list[SourceFile] = []
    for name in listing.names:
        measured = _measure(str(root), name)
        if isinstance(measured, Unread):
            unread.append(measured)
        else:
            files.append(measured)
    notes = listing.notes
    if len(unread) > MOST_UNREAD:
        notes.append(f"{len(unread):,} paths could not be read; the first {MOST_UNREAD} are named.")
    return Inventory(
        root=str(root),
        name=root.name or "/",
        commit=listing.commit,
        notes=notes,
        files=len(files),
        lines=sum(file.lines for file in files),
        bytes=sum(file.bytes for file in files),
        roles=_count_roles(files),
        languages=_count_languages(files),
        groups=group_files(str(root), [file for file in files if file.role in _REVIEWED]),
        largest=sorted(files, key=lambda file: (-file.bytes, file.path))[:MOST_LARGEST],
        has_readme=any(file.path.lower().startswith("readme") for file in files),
        unread=sorted(unread, key=lambda item: (item.path, item.reason))[:MOST_UNREAD],
    )


def list_files(root: str) -> Listing:
    """The files that git tracks below `root`; without git, or where git tracks none, those of the folder."""
    try:
        commit = head_commit(root)
        entries = git(root, "ls-files", "-z", "--stage").split(b"\0")[:-1]
    except GitError as reason:
        return _list_folder(root, None, [f"Read as a plain folder, without git: {reason}."])
    if not entries:
        return _list_untracked(root, commit)
    names, unread = set(), []
    for entry in entries:
        facts, _, name = entry.partition(b"\t")
        mode = facts.split(b" ", 1)[0].decode("ascii")
        if mode == _SUBMODULE:
            unread.append(Unread(path=shown(name), reason="a submodule: review it by itself"))
        elif mode == _SYMLINK:
            unread.append(Unread(path=shown(name), reason="a symbolic link: not followed"))
        else:
            names.add(name)
    notes = [f"{counted(len(names), 'file')}, as git tracks them."]
    if commit is None:
        notes.append("The repository has no commit yet: the files are those of the index.")
    else:
        notes += _working_tree_note(root)
    return _bounded(Listing(sorted(names), commit, notes, unread))


def _working_tree_note(root: str) -> list[str]:
    try:
        changed = git(root, "diff", "--no-ext-diff", "--no-textconv", "--name-only", "-z", "HEAD", "--", ".")
    except GitError:
        return []
    count = changed.count(b"\0")
    return [f"{count:,} of them differ from the commit: reviewed as they are on disk."] if count else []


def _list_untracked(root: str, commit: str | None) -> Listing:
    """Git is here and tracks nothing: take what it does not ignore, and if that is nothing, the folder."""
    try:
        output = git(root, "ls-files", "-z", "--others", "--exclude-standard")
    except GitError:
        output = b""
    names = sorted(name for name in output.split(b"\0") if name and not _is_ours(name))
    if names:
        note = "Git tracks no file here: reviewed are the files that it does not ignore."
        return _bounded(Listing([name for name in names if not name.endswith(b"/")], commit, [note], []))
    return _list_folder(root, commit, ["Git tracks no file here: read as a plain folder."])


def _list_folder(root: str, commit: str | None, notes: list[str]) -> Listing:
    unread: list[Unread] = []
    names = sorted(_walk(root, unread))
    return _bounded(Listing(names, commit, notes, unread))


def _walk(root: str, unread: list[Unread]) -> Iterator[bytes]:
    base = os.fsencode(root)

    def refused(error: OSError) -> None:
        path = os.path.relpath(os.fsencode(error.filename), base)
        unread.append(Unread(path=shown(path), reason=error.strerror or "cannot be listed"))

    for folder, subfolders, files in os.walk(base, onerror=refused):
        subfolders[:] = sorted(name for name in subfolders if os.fsdecode(name) not in _IGNORED_FOLDERS)
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), base)
            if not _is_ours(path):
                yield path


def _is_ours(name: bytes) -> bool:
    """The store and the report of an earlier review, or of this one: they change while we look."""
    return name.startswith((b"segue.db", b"segue-report/"))


def _bounded(listing: Listing) -> Listing:
    if len(listing.names) <= MOST_FILES:
        return listing
    count = len(listing.names)
    note = f"{count:,} files are more than the limit: the first {MOST_FILES:,} by name are reviewed."
    return listing._replace(names=listing.names[:MOST_FILES], notes=[*listing.notes, note])


def _measure(root: str, name: bytes) -> SourceFile | Unread:
    """One file's facts, or why it was left out. Only regular files are opened, no link is followed."""
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        return Unread(path=shown(name), reason="its name is not UTF-8")
    full = os.path.join(os.fsencode(root), name)
    try:
        facts = os.lstat(full)
        if stat.S_ISLNK(facts.st_mode):
            return Unread(path=shown(name), reason="a symbolic link: not followed")
        if not stat.S_ISREG(facts.st_mode):
            return Unread(path=shown(name), reason="not a regular file")
        with open(full, "rb") as file:
            content = file.read(min(facts.st_size, MOST_BYTES))
    except FileNotFoundError:
        return Unread(path=shown(name), reason="tracked, and not in the working tree")
    except OSError as error:
        return Unread(path=shown(name), reason=error.strerror or "cannot be read")
    head = content[:HEAD_BYTES]
    language = language_of(path, head)
    role = role_of(path, language, head)
    if facts.st_size > MOST_BYTES and role != "binary":
        return Unread(
            path=shown(name), reason=f"{facts.st_size:,} bytes: larger than the limit of {MOST_BYTES:,}"
        )
    lines = 0 if role == "binary" else content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    return SourceFile(path=path, language=language, role=role, lines=lines, bytes=facts.st_size)


def _count_roles(files: list[SourceFile]) -> dict[Role, int]:
    counts = Counter(file.role for file in files)
    return dict(sorted(counts.items()))


def _count_languages(files: list[SourceFile]) -> list[Language]:
    """Code only, the most lines first."""
    found: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        if file.language in CODE_LANGUAGES and file.role in ("source", "test"):
            found[file.language].append(file)
    languages = [
        Language(
            name=name,
            files=len(members),
            tests=sum(file.role == "test" for file in members),
            lines=sum(file.lines for file in members),
        )
        for name, members in found.items()
    ]
    return sorted(languages, key=lambda language: (-language.lines, language.name))
