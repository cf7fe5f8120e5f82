"""Small real repositories, built by git with fixed dates and names."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

Content = str | bytes


class Repository:
    """A git repository in a folder of the test, whose commits have the same digests every time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._minutes = 0
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def write(self, files: Mapping[str, Content]) -> None:
        """Write files; text is encoded as UTF-8."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str, files: Mapping[str, Content], author: str = "ada@example.org") -> None:
        """Write files and commit everything; each commit is a day after the one before."""
        self._minutes += 24 * 60
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message, author=author)

    def git(self, *arguments: str, author: str = "ada@example.org") -> str:
        """Run git here, whatever the machine configures."""
        date = f"{1_704_103_200 + self._minutes * 60} +0000"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Somebody",
            "GIT_AUTHOR_EMAIL": author,
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": "Somebody",
            "GIT_COMMITTER_EMAIL": author,
            "GIT_COMMITTER_DATE": date,
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty git repository."""
    return Repository(tmp_path / "project")
