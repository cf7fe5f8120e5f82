"""`segue review`: what waits for a person, what is to be decided on, and the decision."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Project

LETTERS = """
from segue import Review, agent, workflow

@agent(review=Review(by=("ann", "ops"), expires="24h", then="escalate", escalate_to="boss"))
def draft(letter: str) -> dict[str, str]:
    return {"to": letter, "text": "no \\x1b[2J"}

@agent
def send(answer: dict[str, str]) -> str:
    return f"sent {answer['text']} to {answer['to']}"

@workflow
def answer(letter: str) -> str:
    return send(draft(letter))
"""


@pytest.fixture
def waiting(project: Project) -> Project:
    """A folder with a run that waits for ann or ops."""
    (project.folder / "letters.py").write_text(LETTERS)
    assert project.run("run", "letters", "-i", '"bob"', "--key", "letter").exit_code == 7
    return project


def test_what_waits_is_listed(waiting: Project) -> None:
    """Without a task there is a line for each that waits: for whom, and until when; of one run or of all."""
    for arguments in ((), ("letter",)):
        listed = waiting.run("review", *arguments)
        assert listed.exit_code == 0
        (_, line) = listed.stdout.splitlines()
        assert "draft" in line
        assert "ann or ops until " in line
    waiting.run("review", "letter", "draft", "--reject", "--by", "ann", "--yes-as-shown")
    nothing = waiting.run("review")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "Nothing waits" in nothing.stderr
    assert waiting.json("review") == []


def test_what_is_to_be_decided_on_is_shown(waiting: Project) -> None:
    """With a task there is all that a decision needs, made safe for a screen; the digest is whole, to be given back."""
    (shown,) = waiting.json("review", "letter", "draft")
    assert (shown["output"]["to"], shown["by"], shown["then"]) == ("bob", ["ann", "ops"], "escalate")
    picture = waiting.run("review", "letter", "draft").stdout
    assert f"digest: {shown['digest']}\n" in picture
    assert "then others decide" in picture
    assert '"to": "bob"' in picture
    assert "\x1b" not in picture


def test_runs_and_show_say_what_waits_for_whom(waiting: Project) -> None:
    """The list of runs and the pictures of a run and a task name those who may decide, and the end of their time."""
    expected = "ann or ops until "
    for command in (("runs",), ("show", "letter"), ("show", "letter", "draft")):
        assert expected in waiting.run(*command).stdout
    (run,) = waiting.json("runs")
    (waits,) = run["waits_for"]
    assert (waits["task"], waits["by"], waits["then"]) == ("draft", ["ann", "ops"], "escalate")
    tasks = {task["task"]: task for task in waiting.json("show", "letter")["tasks"]}
    assert (tasks["draft"]["review"], tasks["send"]["review"]) == (waits, None)


def test_a_decision_names_what_was_shown(waiting: Project) -> None:
    """With the digest of what was shown it counts, and the run goes on with what was approved."""
    (shown,) = waiting.json("review", "letter", "draft")
    word = ("--digest", shown["digest"], "--by", "ops", "--note", "fine")
    decided = waiting.json("review", "letter", "draft", "--approve", *word)
    assert (decided["decision"], decided["digest"], decided["by"]) == ("approved", shown["digest"], "ops")
    resumed = waiting.run("resume", "letter", "--agents", "letters")
    assert (resumed.exit_code, resumed.stdout) == (0, "sent no \\x1b[2J to bob\n")


def test_another_output_is_approved(waiting: Project) -> None:
    """A person may hand over something else, which is checked by the agent's type."""
    word = ("review", "letter", "draft", "--approve", "--yes-as-shown", "--by", "ann")
    wrong = waiting.run(*word, "--output", "[1]", "--agents", "letters")
    assert wrong.exit_code == 3
    unknown = waiting.run(*word, "--output", '{"to": "bob", "text": "yes"}')
    assert unknown.exit_code == 2
    assert "its agent 'draft' is not known here" in unknown.stderr
    assert (
        waiting.run(*word, "--output", '{"to": "bob", "text": "yes"}', "--agents", "letters").exit_code == 0
    )
    resumed = waiting.run("resume", "letter", "--agents", "letters")
    assert resumed.stdout == "sent yes to bob\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("letter", "draft", "--approve"), "a decision is on what was shown"),
        (
            ("letter", "draft", "--approve", "--yes-as-shown", "--digest", "x"),
            "a decision is on what was shown",
        ),
        (("letter", "--approve", "--yes-as-shown"), "a decision is on one task"),
        (("letter", "draft", "--digest", "x"), "and not which way"),
        (("letter", "draft", "--output", "1"), "and not which way"),
        (("letter", "draft", "--note", "no"), "and not which way"),
        (("letter", "draft", "--by", "ann"), "and not which way"),
        (("letter", "draft", "--approve", "--reject", "--yes-as-shown"), "a decision goes one way"),
        (("letter", "draft", "--reject", "--approve", "--yes-as-shown"), "a decision goes one way"),
        (("letter", "send"), "nothing waits for a decision on send"),
        (("letter", "send", "--approve", "--yes-as-shown"), "nothing waits for a decision on send"),
        (("letter", "nothing"), "has no task 'nothing'"),
        (("letter", "draft", "--approve", "--digest", "x", "--by", "eve"), "eve may not decide on it"),
        (("letter", "draft", "--approve", "--digest", "x", "--by", "ann"), "what was shown is x"),
        (
            ("letter", "draft", "--reject", "--digest", "x", "--by", "ann", "--output", "1"),
            "what is rejected",
        ),
        (("letter", "draft", "--approve", "--digest", "x", "--by", ""), "'' is nobody's name"),
        (("nobody's",), "there is no run"),
    ],
)
def test_what_is_no_decision_is_refused(waiting: Project, arguments: tuple[str, ...], message: str) -> None:
    """Each misuse is one clear error with the code of a mistake, and the review goes on waiting."""
    refused = waiting.refused("review", *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert len(waiting.json("review")) == 1


def test_a_refusal_says_why_to_programs(waiting: Project) -> None:
    """With `--json` an error has the run, the task and the reason: a program need not read the message."""
    refused = waiting.refused(
        "review", "letter", "draft", "--approve", "--digest", "x", "--by", "eve", "--json"
    )
    told = json.loads(refused.stderr)
    assert (told["error"], told["task"], told["reason"]) == ("ReviewRefused", "draft", "no right")
    assert told["run"] == waiting.json("review")[0]["run"]
