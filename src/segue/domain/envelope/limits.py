"""The limits of what crosses a hand-off, in one place, each with its reason."""

from __future__ import annotations

SPILL_BYTES = 8 * 1024
"""
A field or output with more JSON than this becomes an artifact: a claim then stays one small row, two pages
of a database.
"""

BODY_LIMIT_BYTES = 1024 * 1024
"""The largest envelope after spilling: half of what Temporal allows, and a thousand times the usual."""

OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
"""
The largest output, spilled or not: it is held in memory about four times while it is checked. Larger:
`Artifact.write`.
"""

DEPTH_LIMIT = 64
"""
The deepest nesting: JSON parsers give up between 100 and 1,000, each at another depth, and some of them by
crashing.
"""

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1
"""Integers are those of 64 bits, with sign: what every database and every other language can hold."""

TOKENS_MAXIMUM = 10**15
COST_MAXIMUM = 10**9
"""The most that one hand-off may say it took, in tokens and in dollars: thousands of them still add up in 64 bits."""

SUMMARY_TOKENS = 200
"""
The longest summary that Segue derives by itself: a paragraph, so that ten of them still fit a small prompt.
"""

BYTES_PER_TOKEN = 4
"""How tokens are estimated without a model: four bytes of UTF-8 each. It is an estimate and is called one."""

PROGRESS_CHARACTERS = 500
"""The longest word of progress that is kept: a line for whoever watches, and not a place for results."""

SAID_CHARACTERS = 4_000
"""
The longest text that people say about a run: a note, a reason, their name. That is a page; it stands in the log, and is
shown to everybody who looks.
"""

ERROR_MESSAGE_CHARACTERS = 2_000
"""The longest message of a failure that is kept: some libraries put a whole response into one."""

TRACEBACK_CHARACTERS = 16_000
"""
The longest traceback that is kept, cut in the middle: both the entry and the place of the error stay
readable.
"""
