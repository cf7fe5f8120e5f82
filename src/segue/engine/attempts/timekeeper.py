"""
Ends agents that ran over a budget: of running at all, of showing no progress, or the deadline of their task.

One timer serves them all, set for the first that is due. Nearly every agent ends long before its time, so beginning one
costs a comparison and ending it nothing.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Callable, Collection, Iterator

from segue.engine.attempts.attempt import Attempt, Clocked
from segue.ports.clock import Clock, Timer

CLEARING_UP_SECONDS = 5.0
"""How long an agent may take to end when it is told that its time is up. One that goes on is left behind."""


class Timekeeper:
    """
    Watches the attempts that `running` names; `leave_behind` gets those that do not end when they are told to, and
    `on_slow` each that runs for longer than its agent should, once.

    Everything happens in the loop's thread.
    """

    def __init__(
        self,
        clock: Clock,
        running: Callable[[], Collection[Attempt]],
        leave_behind: Callable[[Attempt], None],
        on_slow: Callable[[Attempt], None],
    ) -> None:
        self._clock = clock
        self._running = running
        self._leave_behind = leave_behind
        self._on_slow = on_slow
        self._looks_at = math.inf
        self._timer: Timer | None = None

    def begin(self, attempt: Attempt, budget: Clocked, seconds: float) -> None:
        """From now on the attempt has so many seconds of a budget, or until it is slow."""
        ends_at = attempt.ends[budget] = self._clock.boot() + seconds
        if ends_at < self._looks_at:
            self._set(ends_at)

    @contextlib.contextmanager
    def progress(self, attempt: Attempt) -> Iterator[None]:
        """The attempt shows that it does not hang. It does not idle while the store is told so; then it may again."""
        idles = attempt.out_of is None and attempt.ends.pop("idle", None) is not None
        try:
            yield
        finally:
            seconds = attempt.terms.idle_seconds
            if idles and attempt.in_agent and seconds is not None:
                self.begin(attempt, "idle", seconds)

    def halt(self, attempt: Attempt) -> dict[Clocked, float]:
        """
        The attempt's time stands still, but for its deadline; the seconds that it has left of each budget. Once it has
        run over one, nothing stands still.
        """
        if attempt.out_of is not None:
            return {}
        now = self._clock.boot()
        left: dict[Clocked, float] = {
            budget: ends_at - now for budget, ends_at in attempt.ends.items() if budget != "deadline"
        }
        for budget in left:
            del attempt.ends[budget]
        return left

    def stop(self) -> None:
        """Watch nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, looks_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = looks_at
        # In an empty context: that of the attempt which happens to be the first would be kept for as long as this.
        seconds = looks_at - self._clock.boot()
        self._timer = contextvars.Context().run(self._clock.call_later, seconds, self._look)

    def _look(self) -> None:
        self._timer, now = None, self._clock.boot()
        limited = [attempt for attempt in self._running() if attempt.ends]
        for attempt in limited:
            if attempt.ends.get("slow", math.inf) <= now:
                del attempt.ends["slow"]
                self._on_slow(attempt)
            budget = min(attempt.ends, key=attempt.ends.__getitem__, default=None)
            if budget is None or budget == "slow" or attempt.ends[budget] > now:
                continue
            if attempt.out_of is None:
                attempt.run_over(budget)
                attempt.ends = {budget: now + CLEARING_UP_SECONDS}
            else:
                attempt.ends = {}
                self._leave_behind(attempt)
        self._looks_at = math.inf
        later = [ends_at for attempt in limited for ends_at in attempt.ends.values()]
        if later:
            self._set(min(later))
