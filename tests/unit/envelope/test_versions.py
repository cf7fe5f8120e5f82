"""Payloads have versions, and upcasters that lead from each to the next without a gap or a loop."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from segue.domain.envelope.changes import is_new
from segue.domain.envelope.forms import PayloadForm
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.envelope.upcasting import Upcasting, part_at, payloads_together
from segue.domain.envelope.versions import can_read, chain, payload, upcast, version_key, version_of
from segue.errors import DefinitionError, InvalidPayload, NewerPayload, SchemaDrift

T = TypeVar("T")


class Inner1(BaseModel):
    model_config = ConfigDict(title="Inner")
    size: int


@payload(version="2", name="Inner")
class Inner2(BaseModel):
    length: int


@upcast(Inner2, "1", "2")
def renamed(data: dict[str, Any]) -> dict[str, Any]:
    return {"length": data["size"]}


class Outer1(BaseModel):
    model_config = ConfigDict(title="Outer")
    parts: list[Inner1]
    by_name: dict[str, Inner1]
    either: Inner1 | int | None


@payload(version="3", name="Outer")
class Outer3(BaseModel):
    parts: list[Inner2]
    by_name: dict[str, Inner2]
    either: Inner2 | int | None
    total: int


@upcast(Outer3, "1", "2")
def counted(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "sum": sum(part["length"] for part in data["parts"])}


@upcast(Outer3, "2", "3")
def told(data: dict[str, Any]) -> dict[str, Any]:
    data["total"] = data.pop("sum")
    return data


def brought_up(value: Any, old: Schema[Any], new: Schema[Any], where: str = "it") -> Any:
    upcasting = Upcasting(old.form, new.form.payloads, new.classes, where=where)
    return json.loads(upcasting.document(json.dumps(value).encode(), old.form.root))


def test_a_chain_goes_from_the_inside_to_the_outside() -> None:
    """Payloads in lists, maps and unions are brought up first; the one around them sees them in their new form."""
    old = {"parts": [{"size": 1}, {"size": 2}], "by_name": {"x": {"size": 3}}, "either": {"size": 4}}
    new = brought_up(old, schema_of(Outer1), schema_of(Outer3))
    assert new == {
        "parts": [{"length": 1}, {"length": 2}],
        "by_name": {"x": {"length": 3}},
        "either": {"length": 4},
        "total": 3,
    }
    assert schema_of(Outer3).load(json.dumps(new).encode()).either == Inner2(length=4)
    assert brought_up({**old, "either": None}, schema_of(Outer1), schema_of(Outer3))["either"] is None


def test_values_that_hold_payloads_are_brought_up_too() -> None:
    """A list of payloads is no payload, and each element is."""
    lists = schema_of(list[Inner1]), schema_of(list[Inner2])
    assert brought_up([{"size": 1}], *lists) == [{"length": 1}]


def test_what_is_newer_is_not_touched() -> None:
    """A receiver with older code hears all that it would need, before it has read anything."""
    with pytest.raises(NewerPayload) as caught:
        brought_up({}, schema_of(Outer3), schema_of(Outer1))
    assert caught.value.requires == "Inner@2 Outer@3"


def test_the_same_version_with_other_fields_is_drift() -> None:
    """Which field differs is said, and where."""

    class Drifted(BaseModel):
        model_config = ConfigDict(title="Inner")
        size: int
        note: str = ""

    with pytest.raises(SchemaDrift, match=r"the input of it.*note was added, optional") as caught:
        brought_up({"size": 1}, schema_of(Inner1), schema_of(Drifted), "the input of it")
    assert caught.value.fields == ("note",)


def test_an_upcaster_that_fails_is_named() -> None:
    """The error says which upcaster, where it stands, and why."""

    @payload(version="2", name="Inner")
    class Broken(BaseModel):
        length: int

    @upcast(Broken, "1", "2")
    def wrong(data: dict[str, Any]) -> dict[str, Any]:
        return {"length": data["breadth"]}

    with pytest.raises(
        InvalidPayload, match=r"upcaster of Inner from 1 to 2 \(.*failed: KeyError: 'breadth'"
    ):
        brought_up({"size": 1}, schema_of(Inner1), schema_of(Broken))


def test_without_an_upcaster_data_is_left_as_it_is() -> None:
    """It fits the new class as it is, or is refused there; that nobody helped is known."""

    @payload(version="2", name="Inner")
    class Larger(BaseModel):
        size: int
        note: str = ""

    old, new = schema_of(Inner1), schema_of(Larger)
    upcasting = Upcasting(old.form, new.form.payloads, new.classes, where="it")
    assert upcasting.document(b'{"size":1}', old.form.root) == b'{"size":1}'
    assert upcasting.unaided == ["Inner@1"]


def test_gaps_and_loops_are_errors() -> None:
    """A step that is missing, one that goes down or round, one past the class, two from one version: each is named."""

    @payload(version="4")
    class Gap(BaseModel):
        x: int

    upcast(Gap, "1", "2")(lambda data: data)
    upcast(Gap, "3", "4")(lambda data: data)
    with pytest.raises(DefinitionError, match="from 1 to 2, and its version is 4: there is none from 2"):
        schema_of(Gap).form  # noqa: B018
    with pytest.raises(DefinitionError, match="does not go up, so a chain of them would run in a loop"):
        upcast(Gap, "4", "1")(lambda data: data)
    with pytest.raises(DefinitionError, match="there is one from 1 already"):
        upcast(Gap, "1", "3")(lambda data: data)

    class Past(BaseModel):
        x: int

    upcast(Past, "1", "5")(lambda data: data)
    assert chain(Past, "0") is None
    with pytest.raises(DefinitionError, match="leads to version 5; the class has 1"):
        schema_of(Past).form  # noqa: B018


@pytest.mark.parametrize("wrong", [int, list[int], "text", None])
def test_only_types_with_fields_have_versions(wrong: Any) -> None:
    """Everything else is refused with the remedy."""
    with pytest.raises(DefinitionError, match="no model, dataclass or TypedDict"):
        payload(version="2")(wrong)


@pytest.mark.parametrize("version", ["", " 2", "2@3", "a b"])
def test_versions_are_texts(version: str) -> None:
    """A version that could not be written down beside a name is refused."""
    with pytest.raises(DefinitionError, match="is no version"):
        payload(version=version)(Inner1)


def test_versions_belong_to_a_class_and_not_to_what_derives_from_it() -> None:
    """A subclass begins at version 1; every form of a generic model has the version of the model."""

    @payload(version="7")
    class Base(BaseModel, Generic[T]):
        value: T

    class Derived(Base[int]):
        more: int

    assert (version_of(Base), version_of(Base[int]), version_of(Derived)) == ("7", "7", "1")
    assert "Base[int]" in schema_of(Base[int]).form.payloads


def test_each_kind_of_class_can_have_a_version() -> None:
    """Dataclasses and TypedDicts carry theirs in their documents too; the first version goes without saying."""

    @payload(version="2")
    @dataclasses.dataclass
    class Data:
        x: int

    @payload(version="3")
    class Typed(TypedDict):
        x: int

    @payload(version="1")
    class First(BaseModel):
        x: int

    assert schema_of(Data).document["x-segue-payload"] == "Data@2"
    assert schema_of(Typed).form.payloads["Typed"].version == "3"
    assert "x-segue-payload" not in schema_of(First).document


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=4),
    st.lists(st.integers(0, 300), min_size=1, max_size=4),
)
def test_versions_are_ordered_as_people_count(one: list[int], other: list[int]) -> None:
    """Numbers in versions count as numbers."""
    first, second = ".".join(map(str, one)), ".".join(map(str, other))
    assert (version_key(first) < version_key(second)) == (one < other)


def test_who_can_read_what() -> None:
    """A worker reads a version if it has that one or a later one, and all that is required."""
    assert can_read("Found@2", ["Found@10"])
    assert not can_read("Found@10", ["Found@2"])
    assert not can_read("Found@2 Other@2", ["Found@2"])
    assert can_read("Found@2 Other@2", ["Other@3", "Found@2"])


def test_registering() -> None:
    """First come, for ever: the same again is nothing new, other fields are drift, a new lower version goes back."""
    forms = {fields: PayloadForm("P", "2", {"properties": {fields: {}}, "type": "object"}) for fields in "ab"}
    known = {"2": forms["a"].fingerprint}
    register = {"form_behind": lambda fingerprint: forms["a"], "where": "it", "older_too": False}
    assert is_new({}, forms["a"], **register)
    assert not is_new(known, forms["a"], **register)
    with pytest.raises(SchemaDrift, match="a was removed; b was added"):
        is_new(known, forms["b"], **register)
    with pytest.raises(SchemaDrift, match="goes backwards: '10' is registered"):
        is_new({"10": "x"}, forms["a"], **register)
    assert is_new({"10": "x"}, forms["a"], **{**register, "older_too": True})


def test_one_place_has_one_version() -> None:
    """Two versions of a payload, or two classes of one name, do not cross together."""
    with pytest.raises(
        DefinitionError, match=r"payload Inner crosses here in two versions, '1' \(.*Inner1\) and '2'"
    ):
        payloads_together([schema_of(Inner1), schema_of(Inner2)])


def test_paths_lead_into_forms() -> None:
    """A field of a payload, an element, the value of a map; where nothing is known, a part that says nothing."""
    form = schema_of(Outer1).form
    assert part_at(form, form.root, ("parts", 0)) == {"$ref": "#/payloads/Inner"}
    assert part_at(form, form.root, ("by_name", "x", "size")) == {"type": "integer"}
    assert part_at(form, form.root, ("either", "size")) == {"type": "integer"}
    assert part_at(form, form.root, ("nothing", 3, "here")) == {}
