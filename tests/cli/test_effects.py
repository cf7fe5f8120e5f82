"""`segue effects` and `segue resolve`: what was done outside, and a person's word on what nobody knows."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Project

PAYING = """
from segue import agent, ctx, workflow


@agent(retries=1, backoff=None)
async def pay(amount: int) -> str:
    async with ctx.effect("charge", key="order 7") as charge:
        if not charge.happened:
            raise ConnectionError("the line broke")
    return f"paid: {charge.result}"


@workflow
def paying(amount: int) -> str:
    return pay(amount)
"""


@pytest.fixture
def doubtful(project: Project) -> Project:
    """A project with a run that waits for a person's word."""
    (project.folder / "paying.py").write_text(PAYING)
    done = project.run("run", "paying", "--input", "3", "--key", "k")
    assert done.exit_code == 7
    assert "needs to know whether effect 'charge' of pay happened" in done.stderr
    return project


def test_effects_are_listed_and_shown(doubtful: Project) -> None:
    """The list has each effect with its state and key; the run and the task say that it is in doubt."""
    shown = doubtful.run("effects", "k").stdout
    assert shown.split()[:6] == ["task", "effect", "state", "since", "key", "result"]
    assert "pay   charge  in doubt" in shown
    assert "order 7" in shown
    (effect,) = doubtful.json("effects", "k")
    assert (effect["task"], effect["name"], effect["state"], effect["key"]) == (
        "pay",
        "charge",
        "in_doubt",
        "order 7",
    )
    run = doubtful.run("show", "k").stdout
    assert "needs review" in run
    assert "EffectInDoubt: effect 'charge' of pay is in doubt" in run
    assert "effect: charge  in doubt" in doubtful.run("show", "k", "pay").stdout
    assert [step["name"] for step in doubtful.json("show", "k", "pay")["steps"]] == ["charge"]


def test_a_word_is_recorded_and_the_run_goes_on(doubtful: Project) -> None:
    """Who said what and why is in the log, and the task gets the result that it was told."""
    said = doubtful.json(
        "resolve", "k", "pay", "charge", "--happened", '{"receipt": 9}', "--by", "Ana", "--note", "seen"
    )
    assert (said["task"], said["effect"], said["happened"], said["by"]) == ("pay", "charge", True, "Ana")
    told = doubtful.run("events", "k", "--names", "task.pay.resolved", "--json").stdout
    assert json.loads(told)["data"] == {"effect": "charge", "happened": True, "by": "Ana", "note": "seen"}
    resumed = doubtful.run("resume", "k", "--agents", "paying")
    assert resumed.stdout == "paid: {'receipt': 9}\n"


def test_the_other_word_lets_it_be_tried_again(doubtful: Project) -> None:
    """What did not happen is begun anew by the next attempt."""
    done = doubtful.run("resolve", "k", "pay", "charge", "--did-not-happen", "--by", "Ana")
    assert done.stdout == "charge of pay did not happen, says Ana\n"
    assert doubtful.json("effects", "k")[0]["state"] == "withdrawn"


def test_refused_words(doubtful: Project) -> None:
    """Neither or both, no JSON, unknown tasks and effects, and a second word are told with what to do."""
    both = doubtful.refused("resolve", "k", "pay", "charge", "--happened", "1", "--did-not-happen")
    assert "an effect happened or it did not" in both.stderr
    assert "Give one of the two" in doubtful.refused("resolve", "k", "pay", "charge").stderr
    text = doubtful.refused("resolve", "k", "pay", "charge", "--happened", "receipt").stderr
    assert "--happened '\"receipt\"'" in text
    assert "has no task 'no'" in doubtful.refused("resolve", "k", "no", "charge", "--did-not-happen").stderr
    assert "That task has charge" in doubtful.refused("resolve", "k", "pay", "no", "--did-not-happen").stderr
    doubtful.run("resolve", "k", "pay", "charge", "--happened", "null")
    again = doubtful.refused("resolve", "k", "pay", "charge", "--did-not-happen")
    assert (again.exit_code, "it happened, and that is on record" in again.stderr) == (2, True)


def test_a_run_without_effects(ran: Project) -> None:
    """It is said that there are none."""
    done = ran.run("effects", "latest")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "No effects.\n")
    assert ran.json("effects", "latest") == []
