"""The oracle's eye on runs that grow: what was appended, how far tasks were handed on, and what was spent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from segue.domain.envelope.body import parts_of
from segue.domain.records import HANDED_ON, SETTLED, SINGLE
from segue.domain.running.redriving import Redriving
from segue.stores.memory.rows import Run
from segue.testing.simulation.workload import HOPS_ALLOWED

if TYPE_CHECKING:
    from segue.testing.simulation.world import World


class Grown:
    """Looks at every run that has grown, was handed on, or has a budget."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._wrong = world.violated
        self._told: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        """How many calls the agents of each run have made outside, each within a `ctx.spend`."""

    def told(self, run: str) -> None:
        """The log says that a run has grown."""
        self._told[run] += 1
        self._world.saw("run grew")

    def called(self, run: str) -> None:
        """An agent makes a call that it has reserved."""
        self.calls[run] += 1
        self._world.saw("call paid for")
        self._check_spending(self._world.truth.runs[run])

    def look(self) -> None:
        """Look at all runs, after a verb was carried out."""
        for name, run in self._world.truth.runs.items():
            if run.growth or self._told[name]:
                self._check_growth(run)
            if run.allowances:
                self._check_spending(run)

    def handed_on(self, run: Run, node: str, item: int) -> None:
        """A task was handed on, and not too far."""
        self._world.saw("handed on")
        stored = run.handoffs[node, item][-1]
        way = parts_of(stored.record)["hand_to"]["way"]
        if len(way) - 1 > HOPS_ALLOWED:
            self._wrong("I16", f"{run.new.run}/{node} was handed on {len(way) - 1} times: {way}")

    def _check_growth(self, run: Run) -> None:
        name = run.new.run
        if self._told[name] != len(run.growth):
            self._wrong(
                "I16", f"{name} has grown {len(run.growth)} times, and the log says {self._told[name]}"
            )
        for grown in run.growth:
            stored = run.handoffs.get((grown.node, SINGLE))
            if (grown.node, SINGLE) not in run.tasks or not stored or stored[0].record.status != HANDED_ON:
                self._wrong("I16", f"{name} has the node {grown.node}, and not its task or its arguments")
        twice = Counter((grown.parent, grown.parent_item, grown.key) for grown in run.growth)
        for (parent, item, _), times in twice.items():
            if times > 1:
                self._wrong("I16", f"{name}: {parent}[{item}] has asked for the same thing {times} times")
        if run.state == "running":
            rows = [task.record() for task in run.tasks.values()]
            waits_for = Redriving(self._world.plan_of(run), name, rows).waits_for()
            if waits_for != run.waits_for:
                self._wrong(
                    "I16", f"{name} waits for {run.waits_for} tasks, and {waits_for} have not settled"
                )

    def _is_over(self, run: Run, child: str) -> bool:
        """Whether a delegated task is there and has settled, with all that was delegated below it."""
        states = [task.state for task in run.tasks.values() if f"{task.node}/".startswith(f"{child}/")]
        return bool(states) and all(state in SETTLED for state in states)

    def _check_spending(self, run: Run) -> None:
        name = run.new.run
        for (account, unit), (cap, spent, reserved) in run.allowances.items():
            if min(spent, reserved) < 0 or spent + reserved > cap:
                self._wrong("I17", f"{name}: {spent} + {reserved} {unit} of {cap} in the account {account!r}")
        for share in run.reservations.values():
            if share.child is not None and self._is_over(run, share.child):
                self._world.saw("share came back")
                if share.spent is None:
                    self._wrong("I17", f"{name}: {share.child} is over, and its share is still set aside")
        calls = run.allowances.get(("", "calls"))
        if calls is not None and self.calls[name] > calls[1] + calls[2]:
            self._wrong(
                "I17", f"{name} has made {self.calls[name]} calls, and {calls} is what the budget says"
            )
