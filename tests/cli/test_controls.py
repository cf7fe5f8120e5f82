"""`segue pause`, `resume`, `cancel`, `retry`, `reassign`, `annotate`: what a person wants with a run, in the shell."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Project


@pytest.fixture
def lying(project: Project) -> Project:
    """A project with a run that nobody works on yet, under the key `k`."""
    assert project.run("run", "flows:compare", "-i", '"x"', "--key", "k", "--detach").exit_code == 0
    return project


def states(project: Project) -> dict[str, str]:
    """The states of the tasks of the run."""
    return {task["task"]: task["state"] for task in project.json("show", "k")["tasks"]}


def test_a_run_is_paused_and_goes_on_elsewhere(lying: Project) -> None:
    """It says `paused` and by whom; the command that resumes it can also run it to its end."""
    done = lying.run("pause", "k", "--by", "Ana", "--reason", "too dear")
    assert (done.exit_code, done.stdout.split(": ")[1]) == (0, "paused by Ana\n")
    assert states(lying)["research"] == "paused"
    assert "paused by Ana: too dear" in lying.run("runs").stdout
    shown = lying.run("show", "k").stdout
    assert "run paused: by Ana: too dear" in shown
    view = lying.json("show", "k")
    assert view["state"] == "running"
    assert [(pause["task"], pause["by"]) for pause in view["pauses"]] == [(None, "Ana")]
    went_on = lying.run("resume", "k", "--agents", "flows", "--by", "Bo")
    assert (went_on.exit_code, went_on.stdout.splitlines()[-1]) == (0, "6")


def test_a_task_is_paused_and_resumed(lying: Project) -> None:
    """With --json each command prints what it was for and what became of it; under its name it is done once."""
    paused = lying.json("pause", "k", "price", "--until", "research", "--by", "Ana", "--command", "once")
    assert {name: paused[name] for name in ("control", "by", "tasks", "verdict", "command")} == {
        "control": "pause",
        "by": "Ana",
        "tasks": ["price"],
        "verdict": "done",
        "command": "once",
    }
    again = lying.json("pause", "k", "price", "--until", "research", "--by", "Ana", "--command", "once")
    assert again["verdict"] == "done before"
    assert "price paused: by Ana until research has settled" in lying.run("show", "k").stdout
    resumed = lying.json("resume", "k", "price", "--by", "Ana")
    assert (resumed["control"], resumed["tasks"], resumed["verdict"]) == ("resume", ["price"], "done")


def test_a_task_and_a_run_are_cancelled(lying: Project) -> None:
    """A cancelled task ends what was for it alone; a run that has ended is refused, with the code 2."""
    done = lying.run("cancel", "k", "total", "--by", "Ana", "--reason", "no sums")
    assert done.exit_code == 0
    assert states(lying) == {"research": "cancelled", "price": "cancelled", "total": "cancelled"}
    assert "Ana cancelled it: no sums" in lying.run("show", "k").stdout
    refused = lying.run("cancel", "k", "--by", "Ana")
    assert refused.exit_code == 2
    assert "has ended; it is failed" in refused.stderr
    retried = lying.json("retry", "k", "total", "--by", "Ana")
    assert retried["tasks"] == ["price", "research", "total"]
    assert lying.run("resume", "k", "--agents", "flows").stdout.splitlines()[-1] == "6"


def test_a_task_is_given_to_another_agent_and_noted(lying: Project) -> None:
    """An agent that does not fit is refused; a note is in the log with its author."""
    misfit = lying.run("reassign", "k", "research", "--to", "total", "--by", "Ana")
    assert misfit.exit_code == 2
    assert "cannot take research over" in misfit.stderr
    unknown = lying.run("reassign", "k", "research", "--to", "nobody", "--by", "Ana")
    assert "there is no agent 'nobody'" in unknown.stderr
    assert "Known here are price, research, total" in unknown.stderr
    lonely = lying.run("reassign", "k", "research", "--by", "Ana")
    assert "nobody works on research" in lonely.stderr
    assert lying.run("annotate", "k", "research", "--note", "careful", "--by", "Ana").exit_code == 0
    (told,) = lying.run("events", "k", "--names", "task.annotated", "--json").stdout.splitlines()
    assert '"note":"careful"' in told.replace('": "', '":"')


def test_a_control_needs_a_store_and_a_run(project: Project) -> None:
    """Where there is no store, no such run, or more to note than is kept, it says so and writes nothing."""
    assert project.run("pause", "k").exit_code == 4
    project.run("run", "flows:compare", "-i", '"x"')
    missing = project.run("pause", "nothing")
    assert missing.exit_code == 2
    assert "there is no run 'nothing'" in missing.stderr
    long = project.run("annotate", "latest", "--note", "x" * 4_001, "--by", "ann")
    assert long.exit_code == 2
    assert "SAID_CHARACTERS is 4,000" in long.stderr
