"""Summaries without a model: useful, short, and always the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.envelope.limits import SUMMARY_TOKENS
from segue.domain.envelope.summary import derive_summary, estimate_tokens, summarise
from tests.unit.envelope.test_payload import JSON


@pytest.mark.parametrize(
    ("value", "summary"),
    [
        (None, "none"),
        (True, "true"),
        (0.5, "0.5"),
        ("two\n  lines", "two lines"),
        ([], "0 items"),
        ([1], "1 item (1)"),
        ([{"a": 1}, {}], "2 items"),
        (["a", "b", "c", "d"], "4 items (a, b, c, …)"),
        ({}, "no fields"),
        ({"a": 1, "b": None, "c": ""}, "a: 1; b: none; c: "),
        ({"names": ["x", [1]], "by": {"a": 1, "b": 2}}, "names: 2 items (x, …); by: {a, b}"),
        ({"by": dict.fromkeys("abcde", 1)}, "by: {a, b, c, … (5 fields)}"),
        ({"text": "x" * 500}, "text: " + "x" * 119 + "…"),
    ],
    ids=str,
)
def test_a_summary_says_what_is_in_an_output(value: Any, summary: str) -> None:
    """Fields with their values, lists with their lengths, long texts cut."""
    assert derive_summary(json.dumps(value).encode()) == summary


@given(
    JSON | st.lists(st.text(min_size=30), min_size=100) | st.dictionaries(st.text(), st.text(), min_size=50)
)
def test_a_summary_has_at_most_200_tokens_and_is_always_the_same(value: Any) -> None:
    """Whatever the value; tokens are estimated from the bytes."""
    summary = summarise(value)
    assert estimate_tokens(summary) <= SUMMARY_TOKENS
    assert summary == summarise(value)


def test_a_long_text_is_cut_between_words() -> None:
    """As much as fits, and a sign that there is more; also where characters have several bytes."""
    summary = summarise("word " * 1000)
    assert summary.endswith("word…")
    assert estimate_tokens(summary) > SUMMARY_TOKENS - 5
    assert estimate_tokens(summarise("漢" * 5000)) in range(SUMMARY_TOKENS - 1, SUMMARY_TOKENS + 1)


def test_tokens_are_four_bytes_each_rounded_up() -> None:
    """The estimate is a plain rule that anybody can repeat."""
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde", "é" * 4)] == [0, 1, 1, 2, 2]
