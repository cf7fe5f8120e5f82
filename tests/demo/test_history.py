"""History is read as it is: full, shallow, a single commit, or none at all."""

import subprocess
from pathlib import Path

from segue.demo.history import read_history
from segue.demo.models import Churn, Month

from .conftest import Repository


def test_churn(repository: Repository) -> None:
    """Commits, repairs, authors and lines are counted by file, the most touched first."""
    repository.commit("first", {"a.py": "x = 1\n", "b.py": "x = 1\n"})
    repository.commit("Fix a crash", {"a.py": "x = 2\n"}, author="bob@example.org")
    repository.commit("prefix the names", {"a.py": "x = 2\ny = 2\n"})
    history = read_history(str(repository.root))
    assert history.reach == "full"
    assert history.files == [
        Churn(path="a.py", commits=3, fixes=1, authors=2, lines=4),
        Churn(path="b.py", commits=1, fixes=0, authors=1, lines=1),
    ]
    assert history.months == [Month(name="2024-01", commits=3)]


def test_a_part_of_a_repository(repository: Repository) -> None:
    """Below a folder only its files count, by their paths from there."""
    repository.commit("first", {"part/a.py": "x = 1\n", "other.py": "x = 1\n"})
    repository.commit("second", {"part/a.py": "x = 2\n"})
    repository.commit("third", {"other.py": "x = 2\n"})
    history = read_history(str(repository.root / "part"))
    assert [(churn.path, churn.commits) for churn in history.files] == [("a.py", 2)]


def test_a_shallow_clone(repository: Repository, tmp_path: Path) -> None:
    """The edge of a shallow clone seems to add every file: it is not counted, and the note says why."""
    repository.commit("first", {"a.py": "x = 1\n", "b.py": "x = 1\n"})
    repository.commit("second", {"a.py": "x = 2\n"})
    repository.commit("third", {"b.py": "x = 3\n"})
    clone = tmp_path / "clone"
    command = ["git", "clone", "--quiet", "--depth", "2", f"file://{repository.root}", str(clone)]
    subprocess.run(command, check=True, capture_output=True)
    history = read_history(str(clone))
    assert history.reach == "shallow"
    assert [(churn.path, churn.commits) for churn in history.files] == [("b.py", 1)]
    assert "shallow" in history.note


def test_a_single_commit(repository: Repository) -> None:
    """One commit says nothing about change, and nothing is made of it."""
    repository.commit("first", {"a.py": "x = 1\n"})
    history = read_history(str(repository.root))
    assert (history.reach, history.files, history.commits) == ("single commit", [], 1)


def test_no_commit_and_no_git(repository: Repository, tmp_path: Path) -> None:
    """Without a commit and without a repository the note says which, and nothing fails."""
    assert read_history(str(repository.root)).reach == "none"
    plain = tmp_path / "plain"
    plain.mkdir()
    history = read_history(str(plain))
    assert (history.reach, history.files) == ("none", [])
    assert "not a git repository" in history.note


def test_git_is_not_installed(repository: Repository, monkeypatch) -> None:
    """Without the program the review goes on, and says so."""
    repository.commit("first", {"a.py": "x = 1\n"})
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "git is not installed" in read_history(str(repository.root)).note


def test_hostile_names_and_subjects(repository: Repository) -> None:
    """Line ends and tabs in names, control characters in subjects: the log is still read right."""
    name = "a\tb\nc.py"
    repository.commit("first", {name: "x = 1\n"})
    repository.commit("tab\there \x02 and \x01 there", {name: "x = 2\n"})
    repository.commit("third", {"other.py": "x = 1\n"})
    history = read_history(str(repository.root))
    assert [(churn.path, churn.commits) for churn in history.files] == [(name, 2), ("other.py", 1)]


def test_empty_months_are_shown(repository: Repository) -> None:
    """Months without a commit between others are there, with none."""
    repository.commit("first", {"a.py": "x = 1\n"})
    for day in range(70):
        repository.commit(f"empty {day}", {} if day < 69 else {"a.py": "x = 2\n"})
    history = read_history(str(repository.root))
    assert [(month.name, month.commits) for month in history.months] == [
        ("2024-01", 1),
        ("2024-02", 0),
        ("2024-03", 1),
    ]
