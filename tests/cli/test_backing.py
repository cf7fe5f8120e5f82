"""`segue backup` and `segue restore`: what they print, and what they refuse."""

import json

import pytest

from tests.cli.conftest import Project


def test_there_and_back(ran: Project) -> None:
    """A run that was backed up is there after it was restored, and both commands say what they copied."""
    said = ran.run("backup", "segue.db", "kept")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith("Backed up to kept: 1 run, 0 artifacts, ")
    restored = ran.json("restore", "kept", "sqlite:///again.db")
    assert restored == {"path": "again.db", **json.loads((ran.folder / "kept/backup.json").read_text())}
    assert [each["run"] for each in ran.json("runs", "--store", "again.db")] == [
        each["run"] for each in ran.json("runs")
    ]
    assert "6" in ran.run("show", "latest", "total", "--store", "again.db").stdout


def test_json_says_what_the_manifest_says(ran: Project) -> None:
    """With --json a backup prints its manifest, and where it is."""
    said = ran.json("backup", "segue.db", "kept")
    assert said.pop("path") == "kept"
    assert said == json.loads((ran.folder / "kept/backup.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("backup", "segue.db", "flows.py"), 2, "is there already"),
        (("backup", "segue.db", "no/where"), 4, "cannot be created"),
        (("backup", "absent.db", "kept"), 4, "there is no store"),
        (("backup", "memory:", "kept"), 2, "kept in no file"),
        (("restore", "absent", "again.db"), 2, "is not a backup"),
        (("restore", "absent", "memory:"), 2, "kept in no file"),
    ],
)
def test_what_is_refused(ran: Project, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Nothing is overwritten and nothing is made of nothing: one clear line, with its exit code."""
    done = ran.refused(*arguments)
    assert done.exit_code == code
    assert message in done.stderr


def test_a_store_is_never_restored_over(ran: Project) -> None:
    """The store that is there stays."""
    ran.json("backup", "segue.db", "kept")
    assert "is there already" in ran.refused("restore", "kept", "segue.db").stderr
    assert len(ran.json("runs")) == 1
