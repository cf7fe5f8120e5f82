"""The payload profile: what JSON may cross at all, with the same verdict wherever it comes from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.envelope.limits import DEPTH_LIMIT
from segue.domain.envelope.payload import (
    canonical_json,
    check_depth,
    check_integers,
    digest_of,
    parse_json,
    storable_text,
)
from segue.domain.envelope.schema import schema_of
from segue.errors import InvalidPayload, PayloadError, PayloadTooLarge, UnserialisablePayload

ACCEPTED = [
    b"null",
    b"true",
    b"0",
    b"-0",
    b"-0.0",
    b"1e22",
    b"1E-7",
    b'""',
    b"[]",
    b"{}",
    b" \t\r\n[1, 2]\n",
    b'"\\u00e9"',
    b'"\\ud83d\\ude00"',
    '"\U0001f600 \u4e2d \u202e"'.encode(),
    b'"\\\\u0000"',
    b'"\\\\\\\\u0000 is text"',
    b'"\\\\ud800 is text"',
    b"9223372036854775807",
    b"-9223372036854775808",
    b"100000000000000000000.0",
    b"0.12345678901234567890123",
    b"1.5e300",
    b'"12345678901234567890"',
    b'{"12345678901234567890": 1}',
    b'{"": 0}',
    b'{"spilled": {"/a": 1}, "output": null, "summary": "x", "segue": 1}',
    b'{"a": {"a": {"a": 1}}}',
    b'{"uri": "segue://sha256:none"}',
    b'"[[[[[[[[[[[[[["',
    b'"' + b"[" * 200 + b'"',
    b'["' + b'\\"[{' * 100 + b'"]',
    b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT,
    b'{"a":' * DEPTH_LIMIT + b"1" + b"}" * DEPTH_LIMIT,
    b"[" + b"[]," * 500 + b"[]]",
    b"[" + b'{"a":[1]},' * 500 + b"1]",
    b'"' + b"x" * 100_000 + b'"',
    b'"NaN"',
    b'"Infinity and beyond"',
    b'{"__proto__": {"polluted": true}, "constructor": 1}',
    b'{"lc": 2, "type": "constructor", "id": ["os", "system"]}',
]
NOT_JSON = [
    b"",
    b" ",
    b"nul",
    b"None",
    b"'a'",
    b"{a: 1}",
    b"[1,]",
    b"[1 2]",
    b'{"a" 1}',
    b'{"a": 1,}',
    b'"open',
    b'"\x00"',
    b'"line\nbreak"',
    b'"\\x41"',
    b'"\\u12"',
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b"1 2",
    b"[1]]",
    b"// note\n1",
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b"\xff\xfe1\x00",
    b"\xef\xbb\xbf1",
]
REFUSED = [
    b'"\\u0000"',
    b'{"a\\u0000b": 1}',
    b'"\\\\\\u0000"',
    b'"\\ud800"',
    b'"\\uDC00 alone"',
    b'{"\\ud800": 1}',
    b'"\\ude00\\ud83d"',
    b"NaN",
    b"Infinity",
    b"[-Infinity]",
    b"1e400",
    b"-1e999",
    b"9223372036854775808",
    b"-9223372036854775809",
    b'{"a": [123456789012345678901234567890]}',
    b"9" * 5000,
    b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1),
    b'{"a":' * (DEPTH_LIMIT + 1) + b"1" + b"}" * (DEPTH_LIMIT + 1),
    b"[" * 100_000 + b"]" * 100_000,
    b'["]",' * 70 + b"1" + b',"["]' * 70,
    b'{"a": 1, "a": 2}',
    b'[{"a": {"b": 1, "\\u0062": 2}}]',
]


@pytest.mark.parametrize("data", ACCEPTED, ids=lambda data: repr(data[:40]))
def test_good_json_is_read_as_the_standard_library_reads_it(data: bytes) -> None:
    """The profile refuses nothing that only looks dangerous."""
    assert parse_json(data, "the input") == json.loads(data)


@pytest.mark.parametrize("data", NOT_JSON, ids=lambda data: repr(data[:40]))
def test_what_is_not_json_is_said_to_be_invalid(data: bytes) -> None:
    """Malformed text gets an error that names where it came from, whatever is wrong with it."""
    with pytest.raises(InvalidPayload, match=r"^the input: "):
        parse_json(data, "the input")


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: repr(data[:40]))
def test_json_outside_the_profile_is_refused(data: bytes) -> None:
    """What some store or language would refuse or change is refused before any of them sees it."""
    with pytest.raises(UnserialisablePayload, match=r"^the input: "):
        parse_json(data, "the input")


VALUES = [
    ("nul", "a\0b"),
    ("nul in a key", {"a\0": 1}),
    ("surrogate", "\ud800"),
    ("surrogate in a key", {"\udfff": 1}),
    ("nan", [float("nan")]),
    ("nan beside null", [None, float("nan")]),
    ("infinity", {"a": float("-inf")}),
    ("large integer", 2**63),
    ("small integer", [-(2**63) - 1]),
    ("huge integer", 10**5000),
    ("two keys that are one", {1: "a", "1": "b"}),
    ("true and its name", {True: 1, "true": 2}),
    ("an object", object()),
    ("a function", len),
    ("a type", int),
    ("raw bytes", b"\xff\xfe"),
]


@pytest.mark.parametrize(("name", "value"), VALUES, ids=[name for name, _ in VALUES])
@pytest.mark.parametrize("annotation", [Any, object, dict[str, Any] | list[Any] | Any], ids=str)
def test_values_are_held_to_the_same_profile(name: str, value: Any, annotation: Any) -> None:
    """A value that an agent returns is refused for the same reasons as text from outside."""
    with pytest.raises(PayloadError, match=r"^agent 'a': "):
        schema_of(annotation).dump(value, where="agent 'a'")


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle ends in an error and not in a crash."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(UnserialisablePayload, match="contains itself"):
        schema_of(Any).dump(cycle)


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_nesting_is_allowed_up_to_the_limit_exactly() -> None:
    """The deepest allowed value crosses, one level more is refused, and so is what would end the interpreter."""
    assert json.loads(schema_of(Any).dump(nested(DEPTH_LIMIT))) == nested(DEPTH_LIMIT)
    for depth in (DEPTH_LIMIT + 1, 200, 300, 5000):
        with pytest.raises(UnserialisablePayload, match="levels deep"):
            schema_of(Any).dump(nested(depth))


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('ab"\\[]{}')), inner),
    max_leaves=40,
)


@given(JSON, st.integers(55, 70))
def test_the_depth_is_measured_and_not_guessed(value: Any, levels: int) -> None:
    """Brackets and quotes inside strings and keys do not change the verdict."""
    for _ in range(levels):
        value = ["][", value, '"[']
    data = json.dumps(value).encode()
    if depth_of(value) <= DEPTH_LIMIT:
        check_depth(data, "it")
    else:
        with pytest.raises(UnserialisablePayload):
            check_depth(data, "it")


@pytest.mark.parametrize("spaces", range(12))
def test_an_integer_beyond_64_bits_is_found_wherever_it_begins(spaces: int) -> None:
    """Although only some bytes are looked at first."""
    with pytest.raises(UnserialisablePayload):
        check_integers(b"[" + b" " * spaces + b"9223372036854775808]", "it")


@given(st.integers(-(2**65), 2**65), st.text(st.sampled_from('0123456789.-"\\e')))
def test_integers_are_judged_by_their_value(number: int, text: str) -> None:
    """Exactly the integers of 64 bits pass, whatever digits stand in the strings beside them."""
    data = json.dumps([text, number, {text: text}, 0.1234567890123456789]).encode()
    if -(2**63) <= number < 2**63:
        check_integers(data, "it")
    else:
        with pytest.raises(UnserialisablePayload, match="64 bits"):
            check_integers(data, "it")


@given(JSON)
def test_canonical_json_is_the_same_for_equal_values(value: Any) -> None:
    """It loads to the same value and does not depend on the order in which a dict was filled."""
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(json.dumps(value, sort_keys=True))) == text


def test_canonical_json_has_one_known_form() -> None:
    """Sorted keys, no spaces, characters as they are; NaN has no form."""
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_a_digest_is_what_sha256sum_prints() -> None:
    """Anybody can check a digest without Segue."""
    assert digest_of(b"abc") == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_too_much_text_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on the bytes, so that a small text cannot become a large value first."""
    monkeypatch.setattr("segue.domain.envelope.payload.OUTPUT_LIMIT_BYTES", 100)
    assert parse_json(b'"' + b"x" * 98 + b'"', "the input") == "x" * 98
    with pytest.raises(PayloadTooLarge, match="101 bytes of JSON, the limit is 100"):
        parse_json(b'"' + b"x" * 99 + b'"', "the input")


@given(st.text(), st.integers(10, 50))
def test_any_text_can_be_made_storable(text: str, characters: int) -> None:
    """Whatever an error says, what is kept of it can be written to every store, and short texts are not cut."""
    kept = storable_text(text, characters)
    assert "\0" not in kept
    kept.encode()
    if len(text) <= characters and "\0" not in text and text.isprintable():
        assert kept == text
    if len(text) > characters:
        assert "characters left out" in kept
