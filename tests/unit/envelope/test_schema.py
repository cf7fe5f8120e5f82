"""Types of payloads: what is written is checked, and what was written is read back the same."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from pydantic import BaseModel, ConfigDict, Field, Json, computed_field, field_validator
from typing_extensions import TypedDict

from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import Schema, depth_bound, schema_of, type_name
from segue.errors import DefinitionError, InvalidPayload, PayloadTooLarge, UnserialisablePayload
from tests.unit.envelope.helpers import Findings
from tests.unit.envelope.test_payload import JSON

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Point(TypedDict):
    x: int
    y: int


@dataclass
class Job:
    name: str
    due: date
    takes: timedelta = timedelta(seconds=1)


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")
    both: int = Field(alias="theBoth")
    written: int = Field(serialization_alias="out", validation_alias="in")
    parsed: Json[list[int]] = [1]

    @computed_field
    def double(self) -> int:
        return 2 * self.both


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def _even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("must be even")
        return number


GOOD: list[tuple[Any, Any]] = [
    (None, None),
    (type(None), None),
    (int, 3),
    (float, 0.1),
    (float, -0.0),
    (bool, True),
    (str, "é \U0001f600"),
    (bytes, b"text"),
    (Any, {"a": [1, None, "x"]}),
    (object, [1]),
    (list[int], [1, 2]),
    (list, [1, "a"]),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2)),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (dict[str, int], {"a": 1}),
    (dict[int, str], {1: "a"}),
    (int | str, "1"),
    (int | str, 1),
    (float | None, None),
    (Literal["a", "b"], "a"),
    (Colour, Colour.RED),
    (datetime, datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)),
    (date, date(2026, 1, 2)),
    (timedelta, timedelta(days=1, microseconds=5)),
    (Decimal, Decimal("0.10")),
    (UUID, UUID(int=7)),
    (Point, {"x": 1, "y": 2}),
    (Job, Job("a", date(2026, 1, 1))),
    (list[Job], [Job("a", date(2026, 1, 1))]),
    (Findings, Findings(competitors=["a"], score=0.5)),
    (Findings | None, None),
    (dict[str, Findings], {"a": Findings(competitors=[])}),
    (Page[Point], Page[Point](items=[{"x": 1, "y": 2}], total=1)),
    (Tree, Tree(name="a", children=[Tree(name="b")])),
    (Aliased, Aliased(theBoth=1, **{"in": 2})),
    (Annotated[int, Field(gt=0)], 5),
    (Annotated[list[int], {"unhashable": []}], [1]),
]


@pytest.mark.parametrize(("annotation", "value"), GOOD, ids=[type_name(each) for each, _ in GOOD])
def test_every_kind_of_type_comes_back_as_it_was(annotation: Any, value: Any) -> None:
    """Models, dataclasses, typed dicts and plain types cross without loss, aliases and computed fields included."""
    schema = schema_of(annotation)
    loaded = schema.load(schema.dump(value))
    assert loaded == value
    assert type(loaded) is type(value)


@given(JSON)
def test_any_json_value_comes_back_as_it_was(value: Any) -> None:
    """With `Any` every value within the profile crosses unchanged, whatever its keys are called."""
    schema = schema_of(Any)
    assert schema.load(schema.dump(value)) == value


BAD: list[tuple[Any, Any, str]] = [
    (int, "x", "valid integer"),
    (Findings, {"competitors": [1]}, r"competitors\[0\]: Input should be a valid string \(got 1\)"),
    (Findings, {}, "competitors: Field required"),
    (Findings, Tree(name="a"), "does not fit Findings"),
    (Findings, None, "does not fit Findings"),
    (list[Findings], [{"competitors": "x"}], r"\[0\].competitors"),
    (
        Findings,
        Findings.model_construct(competitors=[1]),
        r"competitors\[0\]: Input should be a valid string",
    ),
    (Job, Job("a", "soon"), "due: "),  # type: ignore[arg-type]
    (Point, {"x": 1}, "y: Field required"),
    (Even, Even.model_construct(number=3), "number: Value error, must be even"),
    (Annotated[int, Field(gt=0)], -1, "greater than 0"),
    (None, 1, "does not fit None"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), BAD, ids=[text for _, _, text in BAD])
def test_what_does_not_fit_is_refused_with_field_and_reason(
    annotation: Any, value: Any, message: str
) -> None:
    """The error names the agent, the type, the field, what was expected and what came."""
    with pytest.raises(InvalidPayload, match=message) as caught:
        schema_of(annotation).dump(value, where="agent 'a'")
    assert str(caught.value).startswith("agent 'a': the value does not fit ")


def test_an_instance_that_was_changed_is_checked_again() -> None:
    """Being an instance of the model proves nothing: fields can be assigned after validation."""
    found = Findings(competitors=["a"])
    found.competitors.append(7)  # type: ignore[arg-type]
    with pytest.raises(InvalidPayload, match=r"competitors\[1\]"):
        schema_of(Findings).dump(found)


def test_what_pydantic_would_convert_is_converted() -> None:
    """A dict for a model, a tuple for a list and a digit for an int cross, in the shape that the schema describes."""
    schema = schema_of(Findings)
    assert schema.load(schema.dump({"competitors": ("a", "b")})) == Findings(competitors=["a", "b"])
    assert schema_of(int).dump("3") == b"3"
    assert schema_of(Page[int]).dump(Page.model_construct(items=["1"], total=1)) == b'{"items":[1],"total":1}'


def test_only_the_declared_type_crosses() -> None:
    """Fields that a subclass adds stay behind: the receiver could not know them."""

    class More(Findings):
        secret: str = "kept"

    assert b"secret" not in schema_of(Findings).dump(More(competitors=[]))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("annotation", "wrap"),
    [
        (float, lambda number: number),
        (float | None, lambda number: number),
        (Findings, lambda number: Findings(competitors=[], score=number)),
        (list[Findings | None], lambda number: [None, Findings(competitors=[], score=number)]),
        (dict[str, float | None], lambda number: {"a": None, "b": number}),
        (Any, lambda number: {"a": None, "b": {"c": (number,)}}),
        (dict[str, Any], lambda number: {"a": Findings(competitors=[], score=number)}),
    ],
    ids=["float", "optional", "model", "list of models", "dict", "any", "model in any"],
)
def test_numbers_that_json_does_not_have_never_become_null(
    number: float, annotation: Any, wrap: Callable[[float], Any]
) -> None:
    """A NaN is refused by name, also where a null would have been accepted in its place."""
    with pytest.raises(UnserialisablePayload, match=f"holds {number}"):
        schema_of(annotation).dump(wrap(number), where="agent 'a'")


def test_null_beside_good_numbers_crosses() -> None:
    """Looking for hidden NaNs does not refuse what is simply absent."""
    value = [Findings(competitors=[]), Findings(competitors=[], score=0.5)]
    schema = schema_of(list[Findings])
    assert schema.load(schema.dump(value)) == value
    assert schema_of(dict[str, Any]).dump({"a": None, "b": [1.5, None]}) == b'{"a":null,"b":[1.5,null]}'


def test_models_that_write_nan_are_held_to_the_profile_too() -> None:
    """A model's own configuration cannot bring NaN into a store."""

    class Loose(BaseModel):
        model_config = ConfigDict(ser_json_inf_nan="constants")
        number: float

    with pytest.raises(UnserialisablePayload, match="holds nan"):
        schema_of(Loose).dump(Loose(number=math.nan))
    assert schema_of(Loose).dump(Loose(number=1.0)) == b'{"number":1.0}'


def test_keys_that_are_one_in_json_are_refused_for_typed_dicts_too() -> None:
    """1 and "1" would become one key and one of two values would be lost."""
    schema = schema_of(dict[int | str, str])
    assert schema.dump({1: "a", "b": "c"}) == b'{"1":"a","b":"c"}'
    with pytest.raises(UnserialisablePayload, match="key '1' twice"):
        schema.dump({1: "a", "1": "b"})


def test_an_output_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both sizes and the way out."""
    monkeypatch.setattr("segue.domain.envelope.schema.OUTPUT_LIMIT_BYTES", 50)
    monkeypatch.setattr("segue.domain.envelope.payload.OUTPUT_LIMIT_BYTES", 50)
    with pytest.raises(PayloadTooLarge, match=r"52 bytes of JSON, the limit is 50[\s\S]*Artifact.write"):
        schema_of(str).dump("x" * 50, where="agent 'a'")


def test_the_receiver_checks_again() -> None:
    """Bytes that do not fit the receiver's type are refused before the agent runs, and the type is named."""
    with pytest.raises(InvalidPayload, match="the value does not fit Findings: competitors: Field required"):
        schema_of(Findings).load(b'{"rivals": []}', where="parameter 'found' of task 'price'")


def test_a_schema_is_built_once_for_each_type() -> None:
    """The second request, also for a type that cannot be hashed, gets the same object."""
    unhashable = Annotated[int, {"note": []}]
    for annotation in (Findings, list[Findings], unhashable, None):
        assert schema_of(annotation) is schema_of(annotation)
    assert schema_of(list[int]) is not schema_of(list[str])


def test_equal_unions_in_another_order_keep_documents_of_their_own() -> None:
    """What a fingerprint is must not depend on which module was imported first."""
    first, second = schema_of(int | str), schema_of(str | int)
    assert first.fingerprint != second.fingerprint
    assert first.document["anyOf"][0] == {"type": "integer"}


def test_the_fingerprint_is_the_digest_of_the_canonical_schema_in_every_process() -> None:
    """Two machines that have the same type write the same schema id."""
    code = (
        "from segue.domain.envelope.schema import schema_of; from tests.unit.envelope.helpers import Findings;"
        "print(schema_of(Findings).fingerprint)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    schema = schema_of(Findings)
    assert other.stdout.strip() == schema.fingerprint == digest_of(schema.text.encode())


def test_the_document_describes_what_is_stored() -> None:
    """Aliases, which only the author's own code uses, do not appear in it."""
    assert set(schema_of(Aliased).document["properties"]) == {"both", "written", "parsed"}
    data = schema_of(Aliased).dump(Aliased(theBoth=1, **{"in": 2}))
    assert data == b'{"both":1,"written":2,"parsed":"[1]"}'


class Opaque:
    """Not a type that pydantic knows."""


@pytest.mark.parametrize("annotation", [Opaque, list[Opaque], "Missing", Callable[[], int] | Opaque])
def test_types_that_cannot_cross_are_refused_when_they_are_declared(annotation: Any) -> None:
    """The error names whose type it is and what to use instead."""
    with pytest.raises(DefinitionError, match=r"parameter 'x'.*cannot cross a hand-off") as caught:
        schema_of(annotation, where="parameter 'x'")
    assert "dataclass" in str(caught.value)


def test_a_type_without_a_json_schema_is_named() -> None:
    """A type that only Python can check has no fingerprint, and says so."""
    schema: Schema[Any] = schema_of(Callable[[], int])
    with pytest.raises(DefinitionError, match="has no JSON Schema"):
        _ = schema.fingerprint


@pytest.mark.parametrize(
    ("annotation", "bound"),
    [
        (int, 0),
        (Literal["a"], 0),
        (Colour, 0),
        (list[int], 1),
        (tuple[int, list[int]], 2),
        (dict[str, list[int]], 2),
        (Findings, 2),
        (list[Findings | None], 3),
        (tuple[()], 1),
        (Any, None),
        (list, None),
        (dict[str, Any], None),
        (Tree, None),
        (Annotated[Any, Field(description="anything")], None),
    ],
    ids=str,
)
def test_how_deep_a_type_can_nest_is_known_from_its_schema(annotation: Any, bound: int | None) -> None:
    """Only types that are recursive, or leave a part open, have to be measured value by value."""
    assert depth_bound(schema_of(annotation).document) == bound


def test_a_recursive_value_beyond_the_limit_is_refused() -> None:
    """A recursive model is measured, although each level is well typed."""
    tree = Tree(name="leaf")
    for _ in range(40):
        tree = Tree(name="branch", children=[tree])
    with pytest.raises(UnserialisablePayload, match="levels deep"):
        schema_of(Tree).dump(tree)


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Findings, "Findings"),
        (list[Findings], "list[Findings]"),
        (Findings | None, "Findings | None"),
        (None, "None"),
        (Any, "Any"),
        (Page[int], "Page[int]"),
        (Literal["a.b"], "Literal['a.b']"),
        (Annotated[int, Field(gt=3)], "int"),
    ],
    ids=str,
)
def test_types_are_named_as_people_write_them(annotation: Any, name: str) -> None:
    """No module paths in messages."""
    assert type_name(annotation) == name


def test_a_forgotten_await_is_called_that() -> None:
    """A coroutine in the place of its result is told as what it is."""

    async def answer() -> int:
        return 1

    coroutine = answer()
    with pytest.raises(InvalidPayload, match="It was not awaited"):
        schema_of(int).dump(coroutine)  # type: ignore[arg-type]
    coroutine.close()
