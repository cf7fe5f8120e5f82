"""Reviews as data: who may decide in which round, what is pinned of it, and what makes no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from segue import agent
from segue.domain.graph.settings_data import settings_from_data
from segue.domain.settings.agent_settings import read_settings
from segue.domain.settings.node_settings import NodeSettings, settings_document, settings_from
from segue.domain.settings.reviewing import Review, Round
from segue.errors import DefinitionError, UsageError

BOSS = Review(by="boss", expires="2h", then="approve")


@pytest.mark.parametrize(
    ("review", "rounds"),
    [
        (Review(), [Round()]),
        (Review(by="ann"), [Round(("ann",))]),
        (Review(by=("ann", "ops", "ann"), expires=60), [Round(("ann", "ops"), 60.0)]),
        (Review(expires="1m", then="approve"), [Round((), 60.0, "approve")]),
        (
            Review(by="ann", expires="1m", then="escalate", escalate_to=["boss"]),
            [Round(("ann",), 60.0, "escalate"), Round(("boss",), 60.0, "reject")],
        ),
        (
            Review(by="ann", expires="1m", then="escalate", escalate_to=BOSS),
            [Round(("ann",), 60.0, "escalate"), Round(("boss",), 7200.0, "approve")],
        ),
    ],
)
def test_a_review_is_rounds(review: Review, rounds: list[Round]) -> None:
    """One round follows the other; names that are to decide next get as long as those before, and are the last."""
    assert list(review.rounds()) == rounds


def test_without_names_anybody_may_decide() -> None:
    """A round with names admits these alone, one without admits everybody."""
    assert [Round(("ann",)).admits(name) for name in ("ann", "Ann", "")] == [True, False, False]
    assert Round().admits("anybody")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": ("",)}, "is no list of names"),
        ({"by": 3}, "is no list of names"),
        ({"by": ["ann", None]}, "is no list of names"),
        ({"by": "policy"}, "is no list of names"),
        ({"expires": "soon"}, "review: expires: 'soon' is not a duration"),
        ({"expires": 0}, "not longer than none"),
        ({"then": "wait"}, "then='wait' is not known"),
        ({"then": "approve"}, "this review has none"),
        ({"expires": "1h", "then": "escalate"}, "belong together"),
        ({"expires": "1h", "escalate_to": "boss"}, "belong together"),
        ({"then": "escalate", "escalate_to": "boss"}, "this review has none"),
        ({"expires": "1h", "then": "escalate", "escalate_to": ()}, "names nobody"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    """A review that could not be carried out as it says is an error where it is written, with what to write instead."""
    with pytest.raises(UsageError, match=message) as caught:
        Review(**given)
    assert caught.value.remedy


def test_a_review_is_pinned_as_plain_data() -> None:
    """It goes into the graph and back as JSON; where there is none, the graph says nothing of it."""
    settings = read_settings({"review": Review(by="ann", expires="1h", then="escalate", escalate_to=BOSS)})
    assert settings_from(json.loads(json.dumps(settings_document(settings)))) == settings
    assert "review" not in settings_document(NodeSettings())
    assert settings_from(settings_document(NodeSettings())) == NodeSettings()


def test_a_review_in_a_graph_given_as_data() -> None:
    """It is an object of what `Review` takes, to any depth, and a word that there is not is refused."""
    boss = {"by": "boss", "expires": "2h", "then": "approve"}
    given = {"review": {"by": ["ann"], "expires": "1h", "then": "escalate", "escalate_to": boss}}
    review = settings_from_data(given, {})["review"]
    assert review.rounds() == Review(["ann"], "1h", "escalate", BOSS).rounds()
    with pytest.raises(UsageError, match="there is no setting 'until' here"):
        settings_from_data({"review": {"until": "1h"}}, {})


def test_a_call_may_have_another_review_or_none() -> None:
    """`with_` changes who looks at what one call hands over."""

    @agent(review=Review(by="ann"))
    def draft(text: str) -> str:
        return text

    assert draft.with_(review=None).settings.review == ()
    assert draft.with_(review=Review(by="ops")).settings.review == (Round(("ops",)),)
    assert draft.with_(retries=2).settings.review == (Round(("ann",)),)
    with pytest.raises(DefinitionError, match="review='ann' is no review"):
        draft.with_(review="ann")  # type: ignore[arg-type]
