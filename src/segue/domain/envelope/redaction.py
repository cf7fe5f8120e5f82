"""Taking secrets out of the texts that are kept: messages and tracebacks of failures."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from segue.domain.envelope.limits import ERROR_MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS
from segue.domain.envelope.payload import storable_text
from segue.errors import SegueError

_SECRET_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASS(WORD|WD|PHRASE|CODE)?($|_)|CREDENTIAL|DSN|AUTH($|_)|COOKIE|PRIVATE|SIGNATURE"
    r"|(DATABASE|REDIS|BROKER|POSTGRES|MONGO|WEBHOOK|CONNECTION)_?(URL|URI|STRING)",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 6
"""Shorter values, such as `true` or `1`, are found everywhere: replacing them would only destroy the text."""

_WIDEST_SECRET = 8_192
"""Longer ones are not expected: a private key of 8,192 bits has about 6,400 characters."""

_CALLERS = ("segue.engine.", "segue.domain.", "concurrent.futures.")
"""The modules that call an agent."""

_MARK = "[redacted]"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        _MARK,
    ),
    # scheme://user:password@host; the last @ before the path ends the password.
    (re.compile(r"(?<=://)([^\s:/@'\"]{0,200}):[^\s/'\"]{1,1000}(?=@)"), rf"\1:{_MARK}"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {_MARK}"),
    # Keys that say what they are: model providers, code hosts, clouds, chats, payments, package registries.
    (re.compile(r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9_-]{16,}"), _MARK),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})"), _MARK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), _MARK),
    (re.compile(r"\bAIza[\w-]{30,}"), _MARK),
    (re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"), _MARK),
    (re.compile(r"\b(?:hf|npm|gsk|r8|pplx|dop_v1|shpat)_[A-Za-z0-9]{16,}"), _MARK),
    (re.compile(r"\bpypi-[\w-]{16,}"), _MARK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), _MARK),
    # name=value and "name": "value", as in headers, settings and query strings.
    (
        re.compile(
            r"(?i)\b((?:[\w-]{0,60}(?:api[_-]?key|token|secret|password|passwd|credential)|authorization)['\"]?"
            r"\s*[:=]\s*)(?!\[redacted)(['\"]?)([^\s'\",;&)}\]]{6,})"
        ),
        rf"\1\2{_MARK}",
    ),
)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The environment's values whose names say that they are secret, the longest first."""
    found = {
        value
        for name, value in environment.items()
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name)
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets, and without whatever looks like a key, a token or a password."""
    for secret in secrets:
        text = text.replace(secret, _MARK)
        as_in_repr = repr(secret)[1:-1]
        if as_in_repr != secret:
            text = text.replace(as_in_repr, _MARK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def format_error(error: BaseException, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """
    What is kept of an error: `kind`, `message` and `traceback` (with its causes, without local variables, from the
    agent on: not how it was called).

    The texts are redacted, cut to their limits, and hold only what every store can keep.
    """
    try:
        # Ours carry their remedy on a line of its own, which is for whoever typed the command.
        message = error.message if isinstance(error, SegueError) else str(error)
    except Exception:  # noqa: BLE001  # a failure is not worth another failure
        message = "the message of the error cannot be read"
    lines = traceback.format_exception(type(error), error, _from_the_agent_on(error.__traceback__))
    return {
        "kind": type(error).__name__,
        "message": _kept(message, secrets, ERROR_MESSAGE_CHARACTERS),
        "traceback": _kept("".join(lines), secrets, TRACEBACK_CHARACTERS),
    }


def _from_the_agent_on(whole: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames that called the agent, if anything but these is in it."""
    here = whole
    while here is not None:
        if not str(here.tb_frame.f_globals.get("__name__", "")).startswith(_CALLERS):
            return here
        here = here.tb_next
    return whole


def _kept(text: str, secrets: Iterable[str], characters: int) -> str:
    """
    A text redacted and cut. What is far from both ends is cut first: some messages have megabytes.

    The rest that is cut off after redacting is wide enough that half a secret at the first cut goes with it.
    """
    half = characters // 2 + _WIDEST_SECRET
    if len(text) > 2 * half:
        left_out = len(text) - 2 * (characters // 2)
        head, tail = redact(text[:half], secrets), redact(text[-half:], secrets)
        middle = f"\n… about {left_out:,} characters left out …\n"
        return storable_text(f"{head[: characters // 2]}{middle}{tail[-(characters // 2) :]}", 2 * characters)
    return storable_text(redact(text, secrets), characters)
