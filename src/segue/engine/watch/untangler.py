"""Looks for tasks that wait for one another in vain, and lets them go on. Any worker may; the store lets one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from segue.domain.decisions import Untangling
from segue.domain.records import RunState, Settled
from segue.domain.running.deadlock import untangling_of
from segue.domain.settings.options import RunOptions
from segue.engine.attempts.attempt import Attempt
from segue.engine.flow.claimer import Claimer
from segue.engine.inputs.book import Book
from segue.ports.clock import Clock
from segue.ports.store import Store


class Untangler:
    """
    Finds deadlocks and carries out the policy of the victim's run. `lost` is told of a victim that runs here, and
    `on_untangled` what has become of its run.
    """

    def __init__(
        self,
        store: Store,
        book: Book,
        clock: Clock,
        live: Mapping[str, Attempt],
        claimer: Claimer,
        lost: Callable[[Attempt], None],
        on_untangled: Callable[[str, RunState], None],
    ) -> None:
        self._store = store
        self._book = book
        self._clock = clock
        self._live = live
        self._claimer = claimer
        self._lost = lost
        self._on_untangled = on_untangled
        self._told: set[str] = set()
        """Under which ids deadlocks were told that are left to somebody else."""

    async def look(self) -> None:
        """Do something about one deadlock, if there is any. Raises StoreUnavailable."""
        waits = await self._store.read_waits()
        if waits is None:
            self._told.clear()
            return
        options = {record.run: RunOptions.from_json(record.options) for record in waits.runs}
        plans = {
            record.run: (await self._book.plan_of(record)).under(options[record.run]) for record in waits.runs
        }
        untangling = untangling_of(waits, plans, options, self._clock.wall(), self._told)
        if untangling is not None:
            self._untangled(untangling, await self._store.untangle(untangling))

    def _untangled(self, untangling: Untangling, settled: Settled) -> None:
        if untangling.settlement is None and untangling.control is None:
            self._told.add(untangling.id)
        if settled.verdict != "accepted":
            return
        if untangling.settlement is not None:
            victim = self._live.get(untangling.settlement.token.claim)
            if victim is not None:
                self._lost(victim)
            self._claimer.poke_after(untangling.settlement.not_before)
        self._on_untangled(untangling.run, settled.run_state or "running")
