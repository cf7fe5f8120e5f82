"""The inventory lists what is there, from any kind of folder, and says what it could not read."""

import os
import subprocess
from pathlib import Path

import pytest

from segue.demo.grouping import MOST_GROUPS, group_files
from segue.demo.inventory import MOST_BYTES, take_inventory
from segue.demo.models import Inventory, SourceFile
from segue.errors import InputError

from .conftest import Repository


def paths(inventory: Inventory) -> set[str]:
    """All paths that would be reviewed."""
    return {file.path for group in inventory.groups for file in group.files}


def test_a_repository_is_what_git_tracks(repository: Repository) -> None:
    """Tracked files are listed with language, role and lines; ignored and untracked ones are not."""
    repository.commit("first", {"pkg/a.py": "x = 1\ny = 2\n", "tests/test_a.py": "", ".gitignore": "*.log\n"})
    repository.write({"noise.log": "x", "untracked.py": "x"})
    inventory = take_inventory(str(repository.root))
    assert paths(inventory) == {".gitignore", "pkg/a.py", "tests/test_a.py"}
    assert inventory.commit == repository.git("rev-parse", "HEAD").strip()
    [python] = inventory.languages
    assert (python.name, python.files, python.tests, python.lines) == ("Python", 2, 1, 2)


def test_a_change_on_disk_is_said(repository: Repository) -> None:
    """Files that differ from the commit are reviewed as they are, and counted."""
    repository.commit("first", {"a.py": "x = 1\n", "b.py": "x = 1\n"})
    repository.write({"a.py": "x = 1\ny = 1\n"})
    inventory = take_inventory(str(repository.root))
    assert inventory.lines == 3
    assert any("1 of them differ from the commit" in note for note in inventory.notes)


def test_a_folder_without_git(tmp_path: Path) -> None:
    """A plain folder is walked without what tools leave behind, and the notes say that git was not there."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "dep.js").write_text("x")
    (tmp_path / "main.py").write_text("x = 1\n")
    (tmp_path / "segue.db.d").mkdir()
    (tmp_path / "segue.db.d" / "own.py").write_text("x")
    (tmp_path / "segue.db-wal").write_bytes(b"x")
    inventory = take_inventory(str(tmp_path))
    assert paths(inventory) == {"main.py"}
    assert inventory.commit is None
    assert any("without git" in note for note in inventory.notes)


def test_a_folder_where_git_tracks_nothing(repository: Repository) -> None:
    """A part of a repository that git ignores is read as a plain folder."""
    repository.commit("first", {".gitignore": "built/\n"})
    repository.write({"built/made.py": "x = 1\n"})
    inventory = take_inventory(str(repository.root / "built"))
    assert paths(inventory) == {"made.py"}
    assert any("plain folder" in note for note in inventory.notes)


def test_a_repository_without_commits(repository: Repository) -> None:
    """Before the first commit the files of the index are reviewed; without an index, what is not ignored."""
    repository.write({"a.py": "x = 1\n", "b.py": "x = 1\n", "c.log": "", ".gitignore": "*.log\n"})
    assert paths(take_inventory(str(repository.root))) == {".gitignore", "a.py", "b.py"}
    repository.git("add", "a.py")
    inventory = take_inventory(str(repository.root))
    assert paths(inventory) == {"a.py"}
    assert any("no commit yet" in note for note in inventory.notes)


def test_an_empty_repository(repository: Repository) -> None:
    """Nothing at all is an inventory too."""
    inventory = take_inventory(str(repository.root))
    assert (inventory.files, inventory.groups, inventory.languages) == (0, [], [])


def test_not_a_folder(tmp_path: Path) -> None:
    """A path that is no folder is an error with a remedy."""
    with pytest.raises(InputError, match="is not a folder") as caught:
        take_inventory(str(tmp_path / "missing"))
    assert caught.value.remedy


def test_hostile_names(repository: Repository) -> None:
    """Spaces, line ends, dashes and markup in names are read; a name not in UTF-8 is named, escaped."""
    names = {"with space.py", "line\nend.py", "-rf.py", "<script>.py", "ünï.py"}
    repository.write(dict.fromkeys(names, "x = 1\n"))
    odd = os.fsencode(repository.root) + b"/caf\xe9.py"
    with open(odd, "wb") as file:
        file.write(b"x = 1\n")
    repository.git("add", "--all")
    inventory = take_inventory(str(repository.root))
    assert paths(inventory) == names
    assert [(item.path, item.reason) for item in inventory.unread] == [
        (r"caf\xe9.py", "its name is not UTF-8")
    ]


def test_what_is_not_a_regular_file(repository: Repository, tmp_path: Path) -> None:
    """Links are not followed, pipes not opened, submodules and files that are gone are named."""
    secret = tmp_path / "secret.py"
    secret.write_text("password = 1\n")
    other = Repository(tmp_path / "other")
    other.commit("first", {"inner.py": "x = 1\n"})
    repository.write({"gone.py": "x = 1\n", "kept.py": "x = 1\n"})
    (repository.root / "link.py").symlink_to(secret)
    (repository.root / "loop").symlink_to(".")
    repository.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "inner"
    )
    repository.commit("all", {})
    (repository.root / "gone.py").unlink()
    inventory = take_inventory(str(repository.root))
    assert paths(inventory) == {".gitmodules", "kept.py"}
    reasons = {item.path: item.reason for item in inventory.unread}
    assert reasons.keys() == {"link.py", "loop", "inner", "gone.py"}
    assert "link" in reasons["link.py"]
    assert "submodule" in reasons["inner"]
    assert "not in the working tree" in reasons["gone.py"]


def test_a_pipe_in_a_folder(tmp_path: Path) -> None:
    """A named pipe would be read for ever: it is named instead."""
    os.mkfifo(tmp_path / "pipe.py")
    [item] = take_inventory(str(tmp_path)).unread
    assert (item.path, item.reason) == ("pipe.py", "not a regular file")


def test_size_and_role(repository: Repository) -> None:
    """Huge, binary, vendored and generated files are counted and not reviewed."""
    repository.commit(
        "first",
        {
            "huge.py": "x = 1\n" * (MOST_BYTES // 6 + 1),
            "blob.bin": b"\0" * 100,
            "vendor/lib.py": "x = 1\n",
            "made.py": "# Generated by a tool. DO NOT EDIT.\n",
            "examples/try.py": "x = 1\n",
            "own.py": "x = 1\n",
        },
    )
    inventory = take_inventory(str(repository.root))
    assert inventory.roles == {"binary": 1, "example": 1, "generated": 1, "source": 1, "vendored": 1}
    assert paths(inventory) == {"examples/try.py", "own.py"}
    [item] = inventory.unread
    assert item.path == "huge.py"
    assert "larger than the limit" in item.reason


def test_git_settings_of_the_repository_run_nothing(repository: Repository, tmp_path: Path) -> None:
    """A repository that names programs in its settings cannot make the review run them."""
    repository.commit("first", {"a.py": "x = 1\n"})
    mark = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    program.chmod(0o755)
    for setting in ("core.fsmonitor", "diff.external", "core.pager"):
        repository.git("config", setting, str(program))
    repository.write({"a.py": "x = 2\n"})
    subprocess.run(["git", "status"], cwd=repository.root, check=True, capture_output=True)
    assert mark.exists(), "the trap does not work: git itself should have run the program"
    mark.unlink()
    assert take_inventory(str(repository.root)).files == 1
    assert not mark.exists()


def test_groups_are_bounded() -> None:
    """A hundred packages become at most `MOST_GROUPS` groups that hold every file once."""
    files = [
        SourceFile(path=f"p{n % 10}/q{n}/m{k}.py", language="Python", role="source", lines=1, bytes=n + 1)
        for n in range(100)
        for k in range(3)
    ]
    groups = group_files("/r", files)
    assert len(groups) <= MOST_GROUPS
    assert sorted(file.path for group in groups for file in group.files) == sorted(
        file.path for file in files
    )
    assert group_files("/r", files[::-1]) == groups


def test_a_large_package_is_cut() -> None:
    """A folder with a thousand files becomes several numbered groups, so that it is shared among workers."""
    files = [
        SourceFile(path=f"m{k:04}.py", language="Python", role="source", lines=1, bytes=1)
        for k in range(1_000)
    ]
    groups = group_files("/r", files)
    assert [group.name for group in groups] == [". (1 of 3)", ". (2 of 3)", ". (3 of 3)"]
    assert sum(len(group.files) for group in groups) == 1_000
