"""What is kept of an error that ended an attempt, and what it means for another try: the same in every process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from segue.domain.envelope.redaction import format_error
from segue.domain.running.answering import Helps, helps_after
from segue.domain.settings.node_settings import OnOverrun
from segue.domain.settings.retrying import Wishes, wishes_of
from segue.errors import UsageError


class Fault(NamedTuple):
    """An error as it is kept (what `format_error` tells of it), what may help after it, and what it says itself."""

    told: dict[str, Any]
    helps: Helps
    wishes: Wishes


def fault_of(
    error: BaseException, secrets: Iterable[str], on_overrun: OnOverrun, wall_now: float, *, called: bool
) -> Fault:
    """What is kept of an error; `called` says whether the agent itself had begun."""
    try:
        wishes = wishes_of(error, wall_now)
    except UsageError as wrong:
        return fault_of(wrong, secrets, on_overrun, wall_now, called=called)
    return Fault(format_error(error, secrets), helps_after(error, wishes, on_overrun, called=called), wishes)
