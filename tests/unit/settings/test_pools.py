"""Pools as settings: what is written, what is refused, and what a graph pins."""

from __future__ import annotations

from typing import Any

import pytest

from segue import Pool, agent, graph_from_data, workflow
from segue.domain.records import Need, NodeNeed
from segue.domain.running.plan import compile_plan
from segue.domain.settings.node_settings import NodeSettings, settings_document, settings_from
from segue.domain.settings.pools import pools_of
from segue.errors import DefinitionError, GraphError, UsageError


@pytest.mark.parametrize(
    ("given", "pools"),
    [
        ({}, ()),
        ({"pool": None}, ()),
        ({"pools": None}, ()),
        ({"pools": {}}, ()),
        ({"pool": "gpu"}, (Need("gpu", 1),)),
        ({"pools": {"licence": 2, "gpu": Pool(1, keep=True)}}, (Need("gpu", 1, True), Need("licence", 2))),
    ],
)
def test_what_is_written_is_read(given: dict[str, Any], pools: tuple[Need, ...]) -> None:
    """One pool by its name, or several with their places, sorted by name."""
    assert pools_of(given) == pools


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"pool": ""}, "name of a pool"),
        ({"pool": "  "}, "name of a pool"),
        ({"pool": 3}, "name of a pool"),
        ({"pool": "x" * 201}, "name of a pool"),
        ({"pool": "\ud800"}, "name of a pool"),
        ({"pools": ["gpu"]}, "no mapping"),
        ({"pools": {"gpu": 0}}, r"pools\['gpu'\]=0"),
        ({"pools": {"gpu": True}}, r"pools\['gpu'\]=True"),
        ({"pools": {"gpu": 1.5}}, r"pools\['gpu'\]=1.5"),
        ({"pool": "gpu", "pools": {"gpu": 1}}, "beside"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    """Bad names and numbers are named, before anything runs."""
    with pytest.raises(UsageError, match=told):
        pools_of(given)


def test_a_pool_of_no_places_is_refused() -> None:
    """So is a `keep` that is neither true nor false."""
    with pytest.raises(UsageError, match="Pool=0"):
        Pool(0)
    with pytest.raises(UsageError, match="keep='yes'"):
        Pool(1, keep="yes")  # type: ignore[arg-type]


def test_a_wrong_pool_of_an_agent_names_the_agent() -> None:
    """The error has the place of the declaration, like every other setting."""
    with pytest.raises(DefinitionError, match=r"train.*pools"):

        @agent(pools={"gpu": 0})
        def train(text: str) -> str:
            return text


def test_a_call_replaces_the_pools_of_its_agent() -> None:
    """Whichever of the two ways each of them is written."""

    @agent(pool="gpu")
    def train(text: str) -> str:
        return text

    assert train.with_(pools={"large": 2}).settings.pools == (Need("large", 2),)
    assert train.with_(pools={"large": 2}).with_(pool="gpu").settings.pools == (Need("gpu", 1),)
    assert train.with_(pool=None).settings.pools == ()
    assert train.with_(retries=1).settings.pools == (Need("gpu", 1),)


def test_pinned_settings_are_read_back() -> None:
    """Settings without pools are pinned as they were before there were any."""
    settings = NodeSettings(pools=(Need("gpu", 1, True), Need("licence", 2)))
    assert settings_from(settings_document(settings)) == settings
    assert "pools" not in settings_document(NodeSettings())


def test_a_graph_given_as_data_has_pools() -> None:
    """Places are a number, or an object that says whether they are kept."""

    @agent
    def train(text: str) -> str:
        return text

    node = {
        "agent": "train",
        "arguments": {"text": "$text"},
        "with": {"pools": {"gpu": {"places": 2, "keep": True}, "licence": 1}},
    }
    data = {"workflow": "w", "inputs": ["text"], "nodes": {"train": node}, "output": "$train"}
    built = graph_from_data(data, {"train": train}).build()
    assert built.graph.node("train").settings.pools == (Need("gpu", 2, True), Need("licence", 1))
    node["with"] = {"pools": {"gpu": {"places": 0}}}
    with pytest.raises(GraphError, match=r"pools\['gpu'\]: Pool=0"):
        graph_from_data(data, {"train": train}).build()
    node["with"] = {"pools": {"gpu": {"keeps": True}}}
    with pytest.raises(GraphError, match="no setting 'keeps'"):
        graph_from_data(data, {"train": train}).build()


def test_a_plan_knows_the_largest_needs() -> None:
    """Of each node and pool, whichever of its agents gets the task; the task that only reads a list needs none."""

    @agent(pools={"gpu": 3})
    def big(text: str) -> str:
        return text

    @agent(pools={"gpu": 1, "licence": 1}, fallback=big)
    def small(text: str) -> str:
        return text

    @workflow
    def both(texts: list[str]) -> list[str]:
        return small.map(texts)

    plan = compile_plan(both.build().graph)
    assert plan.needs == (NodeNeed("small", "gpu", 3), NodeNeed("small", "licence", 1))
    assert plan.steps["small"].pools == ()
