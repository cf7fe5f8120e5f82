"""
What JSON may be a payload: one profile, enforced before a store sees it, so that all say the same.

Without it the same document is accepted by one database and refused or changed by the next: NUL characters,
lone surrogates, NaN, numbers beyond 64 bits, doubled keys, nesting that only some parsers survive.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from typing import Any

from segue.domain.envelope.limits import DEPTH_LIMIT, INTEGER_MAX, INTEGER_MIN, OUTPUT_LIMIT_BYTES
from segue.errors import InvalidPayload, PayloadTooLarge, UnserialisablePayload

DIGEST_PREFIX = "sha256:"

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}(?![0-9]*[.eE])")
_DIGITS_ONLY = bytes(0x30 if 0x30 <= code <= 0x39 else 0x20 for code in range(256))
_NINETEEN_DIGITS = b"0" * 19
_EVERY_SIXTH = 6
_THREE_DIGITS = b"0" * 3
"""What every sixth byte of nineteen digits shows, wherever they begin."""
_BRACKETS_ONLY = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values, equal text. Raises ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(data: bytes) -> str:
    """The digest that addresses bytes: `sha256:` and 64 hex digits, as `sha256sum` prints them."""
    return DIGEST_PREFIX + hashlib.sha256(data).hexdigest()


def check_text(data: bytes, where: str) -> None:
    """Refuse the NUL character anywhere in JSON. Raises UnserialisablePayload."""
    if b"\\" in data and b"\\u0000" in data and _NUL.search(data):
        raise UnserialisablePayload(
            f"{where}: the value holds a NUL character, which not every store can keep",
            remedy='Remove it, for example with text.replace("\\x00", ""); bytes belong in an Artifact.',
        )


def check_integers(data: bytes, where: str) -> None:
    """Refuse integers beyond 64 bits in well-formed JSON. Raises UnserialisablePayload."""
    if _THREE_DIGITS not in data[::_EVERY_SIXTH].translate(_DIGITS_ONLY):
        return
    if _NINETEEN_DIGITS not in data.translate(_DIGITS_ONLY):
        return
    for number in _LONG_NUMBER.findall(_STRING.sub(b'""', data)):
        # A number longer than this is not worth turning into an int to see that it is too large.
        if len(number) > 20 or not INTEGER_MIN <= int(number) <= INTEGER_MAX:
            shown = f"{number[:20].decode()}… ({len(number)} digits)" if len(number) > 40 else number.decode()
            raise UnserialisablePayload(
                f"{where}: the value holds the integer {shown}, which does not fit 64 bits",
                remedy="Send it as a string, or as a float if it need not be exact.",
            )


def check_depth(data: bytes, where: str) -> None:
    """Refuse nesting beyond the limit in well-formed JSON. Raises UnserialisablePayload."""
    if data.count(b"[") + data.count(b"{") <= DEPTH_LIMIT:
        return
    brackets = _STRING.sub(b"", data).translate(_BRACKETS_ONLY, _NO_BRACKETS)
    for _ in range(DEPTH_LIMIT):
        # Taking away every innermost pair lowers the depth by one, or by more: what stays is deeper than
        # the limit.
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise UnserialisablePayload(
        f"{where}: the value is nested more than {DEPTH_LIMIT} levels deep",
        remedy="Flatten it, or write it with Artifact.write and hand over the pointer.",
    )


def check_size(size_bytes: int, where: str) -> None:
    """Refuse outputs too large to be held in memory while they are checked. Raises PayloadTooLarge."""
    if size_bytes > OUTPUT_LIMIT_BYTES:
        raise PayloadTooLarge(
            f"{where}: the value has {size_bytes:,} bytes of JSON, the limit is {OUTPUT_LIMIT_BYTES:,}",
            remedy="Write large content with Artifact.write and hand over the pointer.",
        )


def parse_json(text: str | bytes, where: str) -> Any:
    """
    Read JSON that comes from outside (a command line, a document) and holds to the profile.

    Raises InvalidPayload if it is not JSON, PayloadTooLarge, or UnserialisablePayload for what the profile
    refuses.
    """
    try:
        data = text.encode() if isinstance(text, str) else bytes(text)
        decoded = data.decode()
    except UnicodeError as error:
        raise InvalidPayload(f"{where}: the value is not UTF-8: {error}") from None
    check_size(len(data), where)
    check_integers(data, where)
    try:
        value = json.loads(
            decoded,
            parse_constant=lambda name: _refuse_number(name, where),
            parse_float=lambda number: _finite(number, where),
            object_pairs_hook=lambda pairs: _distinct(pairs, where),
        )
    except json.JSONDecodeError as error:
        raise InvalidPayload(
            f"{where}: the value is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            remedy='Strings and names are in double quotes: {"goal": "compare"}.',
        ) from None
    except RecursionError:
        raise UnserialisablePayload(
            f"{where}: the value is nested more than {DEPTH_LIMIT} levels deep"
        ) from None
    check_depth(data, where)
    check_text(data, where)
    if b"\\ud" in data or b"\\uD" in data:
        _refuse_surrogates(value, where)
    return value


def is_storable(text: str) -> bool:
    """Whether every store can keep a text: it holds no NUL and no half characters."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def storable_text(text: str, characters: int) -> str:
    """Any text as every store can keep it: no NUL, no half characters, its middle cut out if too long."""
    if len(text) > characters:
        half = characters // 2
        text = f"{text[:half]}\n… {len(text) - characters:,} characters left out …\n{text[-half:]}"
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _refuse_number(name: str, where: str) -> Any:
    raise UnserialisablePayload(
        f"{where}: the value holds {name}, which JSON does not have",
        remedy="Use null for a number that is not known.",
    )


def _finite(number: str, where: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse_number(f"{number}, an infinity", where)


def _distinct(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        doubled = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise UnserialisablePayload(f"{where}: the value has the key {doubled!r} twice in one object")
    return value


def _refuse_surrogates(value: Any, where: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnserialisablePayload(f"{where}: the value holds half a character (a lone surrogate)") from None
