"""`segue chaos` from the command line."""

import json

from segue.testing.chaos.verdict import INVARIANTS

from .conftest import Project


def test_one_row_and_no_storm(project: Project) -> None:
    """A row that held is told as JSON, with every invariant, and the exit code is 0."""
    told = project.json("chaos", "--seconds", "0", "--only", "submit.after:kill", "--seed", "3")
    (row,) = told["matrix"]
    assert (told["held"], told["seed"], told["storm"], row["sprung"]) == (True, 3, None, True)
    assert set(row["verdict"]) == set(INVARIANTS)


def test_what_cannot_be_tried_is_refused(project: Project) -> None:
    """A row that is not there and a folder that is none are mistakes of whoever typed them."""
    assert "settle.before:kill:1" in project.refused("chaos", "--only", "settle.during").stderr
    assert "is not a folder" in project.refused("chaos", "--folder", "nowhere").stderr
    assert json.loads(project.refused("chaos", "--folder", "nowhere", "--json").stderr)["exit_code"] == 2
