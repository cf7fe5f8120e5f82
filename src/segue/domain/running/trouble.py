"""What becomes of an event that a monitor or a subscription could not handle: tried again later, or parked."""

from __future__ import annotations

import json

from segue.domain.consumers import ConsumerToken, Trouble, consumer_event
from segue.domain.rows import Event
from segue.domain.running.faults import Fault
from segue.domain.settings.retrying import RetryPolicy


def trouble_of(
    token: ConsumerToken, event: Event, fault: Fault, failures: int, policy: RetryPolicy, jitter: float
) -> Trouble:
    """
    What a store is to write down when an event was not handled, `failures` times before this one.

    Nothing is ever passed over: when the policy allows no further try the consumer is parked, and a person decides.
    """
    failures, wishes = failures + 1, fault.wishes
    delay_seconds: float | None = None
    if not wishes.final and policy.allows(failures, wishes.names):
        delay_seconds = max(policy.delay_seconds(failures, jitter), wishes.retry_after_seconds or 0.0)
    told = {**fault.told, "event": event.name, "sequence": event.sequence, "failures": failures}
    what = "failed" if delay_seconds is not None else "parked"
    data = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    name = consumer_event(token.consumer, what)
    return Trouble(token, event.cursor, event.run, name, data, delay_seconds)
