"""
What this process remembers of the runs it works on, so that a hand-off need not be read back from the store.

Everything here is a copy of something immutable (a pinned graph, an input, a hand-off) and can be dropped at any time:
`load` reads it again. The number of runs is bounded, and so are the bytes of their hand-offs.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.stored import pinned_graph, understood
from segue.domain.records import HandoffRecord, Pin, Token, task_name
from segue.domain.rows import GrownRecord, RunRecord, StoredHandoff
from segue.domain.running.growing import grown_plan
from segue.domain.running.plan import Plan, plan_from_json
from segue.domain.settings.options import RunOptions
from segue.errors import StaleRead, StoreCorrupt, UnknownRun
from segue.ports.clock import Clock
from segue.ports.store import Store

RUNS_KEPT = 1024
"""Runs remembered at once; the one that was used longest ago goes first."""

HANDOFF_BYTES_KEPT = 32 * 1024 * 1024
"""Bytes of hand-offs remembered at once, over all runs."""

PLANS_KEPT = 256
"""Compiled graphs remembered at once."""

STALE_READ_SECONDS = 5.0
"""How long a read waits for a store that lags behind the version which a claim names."""


class LiveRun:
    """A run with its plan, its inputs as JSON, and the hand-offs seen lately."""

    __slots__ = ("bytes_kept", "handoffs", "input_json", "items", "options", "plan", "run")

    def __init__(self, run: str, plan: Plan, input_json: dict[str, bytes], options: RunOptions) -> None:
        self.run = run
        self.plan = plan.under(options)
        self.input_json = input_json
        self.options = options
        self.handoffs: dict[tuple[str, int, int], StoredHandoff] = {}
        self.items: dict[str, list[bytes]] = {}
        """The elements of the list that a mapped node goes over, each as JSON."""
        self.bytes_kept = 0

    def append(self, grown: GrownRecord) -> None:
        """A task of the run has delegated: the plan of this run, and of no other, has one more step."""
        self.plan = grown_plan(self.plan, [grown], self.options)

    def latest_pins(self, nodes: Iterable[str]) -> list[Pin] | None:
        """
        The latest hand-offs of these nodes, if memory is known to hold them all: never for a mapped node, nor for one
        that needed a review, because its decision may have been written by anybody.
        """
        latest: dict[str, StoredHandoff | None] = dict.fromkeys(nodes)
        for node, item, version in self.handoffs:
            if node in latest:
                before = latest[node]
                if before is None or before.record.version < version:
                    latest[node] = self.handoffs[node, item, version]
        pins = []
        for node, stored in latest.items():
            is_mapped = self.plan.steps[node].node.map_parameter is not None
            if is_mapped or stored is None or stored.record.status != "complete":
                return None
            pins.append(stored.pin)
        return pins


class Book:
    """The runs in memory."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._bytes_kept = 0

    def open(self, run: str, plan: Plan, input_json: dict[str, bytes], options: RunOptions) -> LiveRun:
        """Remember a run that this process submitted."""
        live = LiveRun(run, plan, input_json, options)
        self._runs[run] = live
        self._shrink()
        return live

    def get(self, run: str) -> LiveRun | None:
        """A remembered run."""
        live = self._runs.get(run)
        if live is not None:
            self._runs.move_to_end(run)
        return live

    async def load(self, run: str) -> LiveRun:
        """A run, from memory or from the store. Raises UnknownRun."""
        live = self.get(run)
        if live is not None:
            return live
        record = await self._store.read_run(run)
        if record is None:
            raise UnknownRun(
                f"there is no run {run!r} in this store", run=run, remedy="`segue runs` lists them."
            )
        plan = await self._base_plan(record)
        with understood(f"the input of run {run}"):
            inputs = {name: json.dumps(value).encode() for name, value in json.loads(record.input).items()}
            options = RunOptions.from_json(record.options)
        live = self._runs.get(run) or self.open(run, plan, inputs, options)
        return await self.grow(live) if record.grown else live

    async def grow(self, live: LiveRun) -> LiveRun:
        """Read what was appended to a run since it was read."""
        live.plan = grown_plan(live.plan, await self._store.read_growth(live.run), live.options)
        return live

    async def knowing(self, live: LiveRun, node: str) -> LiveRun:
        """A run that knows a node of it, which another process may have appended. Raises StoreCorrupt."""
        if node not in live.plan.steps and node not in (await self.grow(live)).plan.steps:
            raise StoreCorrupt(
                f"run {live.run} has a task {node!r}, and nothing says what it is",
                remedy="Restore the store from a backup.",
            )
        return live

    async def handed_on(self, live: LiveRun, pin: Pin) -> StoredHandoff:
        """What a task goes on from that was handed on, or delegated: its run knows its node from then on."""
        (stored,) = self.at_hand(live, [pin]) or await self.read(live, [pin])
        return stored

    async def plan_of(self, record: RunRecord) -> Plan:
        """The compiled graph that a run has pinned, with what was appended to it."""
        plan = await self._base_plan(record)
        if not record.grown:
            return plan
        with understood(f"the options of run {record.run}"):
            options = RunOptions.from_json(record.options)
        return grown_plan(plan, await self._store.read_growth(record.run), options)

    async def _base_plan(self, record: RunRecord) -> Plan:
        plan = self._plans.get(record.graph_digest)
        if plan is None:
            text = await self._store.read_graph(record.graph_digest)
            plan = plan_from_json(pinned_graph(record, text))
            self.remember_plan(record.graph_digest, plan)
        return plan

    def remember_plan(self, digest: str, plan: Plan) -> None:
        """Keep a compiled graph."""
        self._plans[digest] = plan
        if len(self._plans) > PLANS_KEPT:
            self._plans.popitem(last=False)

    def remember(self, live: LiveRun, stored: StoredHandoff) -> None:
        """Keep a hand-off that the store has accepted."""
        _, node, item, _, record = stored
        live.handoffs[node, item, record.version] = stored
        if self._runs.get(live.run) is not live:
            return
        size_bytes = len(record.body)
        live.bytes_kept += size_bytes
        self._bytes_kept += size_bytes
        if self._bytes_kept > HANDOFF_BYTES_KEPT:
            self._shrink()

    def forget(self, run: str) -> None:
        """Drop a run that has ended."""
        live = self._runs.pop(run, None)
        if live is not None:
            self._bytes_kept -= live.bytes_kept
            live.bytes_kept = 0

    def at_hand(self, live: LiveRun, pins: Sequence[Pin]) -> list[StoredHandoff] | None:
        """Exactly the hand-offs that a claim names, if memory holds them all."""
        known = live.handoffs
        found = []
        for node, item, version, digest, _ in pins:
            stored = known.get((node, item, version))
            if stored is None or stored.record.digest != digest:
                return None
            found.append(stored)
        return found

    async def read(self, live: LiveRun, pins: Sequence[Pin]) -> list[StoredHandoff]:
        """
        Exactly the hand-offs that a claim names, read from the store.

        A store that cannot give one of them yet is asked again for some seconds; then `StaleRead` is raised. Bytes that
        do not have the digest of the pin raise `StoreCorrupt`: something older or other is never served. The run knows
        their nodes from then on.
        """
        give_up_at = self._clock.boot() + STALE_READ_SECONDS
        pause_seconds = 0.005
        while True:
            stored = await self._store.read_handoffs(
                live.run, [(pin.node, pin.item, pin.version) for pin in pins]
            )
            by_key = {(each.node, each.item, each.record.version): each for each in stored}
            lacking = [pin for pin in pins if (pin.node, pin.item, pin.version) not in by_key]
            if not lacking:
                break
            if self._clock.boot() >= give_up_at:
                names = ", ".join(f"{task_name(pin.node, pin.item)} version {pin.version}" for pin in lacking)
                raise StaleRead(
                    f"run {live.run}: the store did not give {names} within {STALE_READ_SECONDS:g} s",
                    remedy="The claim names exactly these versions; nothing older is used in their place.",
                )
            await self._clock.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, 0.5)
        for pin in pins:
            found = by_key[(pin.node, pin.item, pin.version)]
            record = found.record
            if record.digest != pin.digest or digest_of(record.body) != pin.digest:
                raise StoreCorrupt(
                    f"run {live.run}: hand-off {task_name(pin.node, pin.item)} version {pin.version} is not the one "
                    "that was claimed: its digest differs",
                    remedy="The store was changed by something else than Segue; restore it from a backup.",
                )
            await self.knowing(live, pin.node)
            self.remember(live, found)
        return [by_key[(pin.node, pin.item, pin.version)] for pin in pins]

    def _shrink(self) -> None:
        while len(self._runs) > 1 and (len(self._runs) > RUNS_KEPT or self._bytes_kept > HANDOFF_BYTES_KEPT):
            _, live = self._runs.popitem(last=False)
            self._bytes_kept -= live.bytes_kept
            live.bytes_kept = 0


def stored_handoff(token: Token, record: HandoffRecord) -> StoredHandoff:
    """What a store keeps once it has accepted this."""
    return StoredHandoff(token.run, token.node, token.item, token.epoch, record)
