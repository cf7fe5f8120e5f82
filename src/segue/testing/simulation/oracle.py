"""
The oracle of a world: it sees every transition of the store and every execution of an agent, and says what is wrong.

It keeps accounts of its own and never asks the code that it judges what should have happened. The invariants have the
names that a failure prints:

    I1   one accepted hand-off for each task and version; no state that cannot follow the one before
    I2   what was acknowledged is never lost or changed, and nobody is told "stale" about what he may write
    I3   nothing is accepted from a token that was superseded or revoked
    I4   an agent's inputs are exactly the hand-offs that its claim has pinned
    I5   nothing starts before what it waits for has settled, nor on a claim that was not granted
    I6   state and event come together: gap-free, one ending for each task that has settled
    I7   only a grant raises an epoch, by one; no two grants share a token
    I8   when faults have ceased everything comes to its end, and no engine stops without a fault
    I9   who reads the log from a cursor misses nothing
    I10  nothing runs twice for one grant, and nothing is granted again without a reason or before its time
    I11  no process runs more agents than it has places, and every place comes back
    I12  a step that is remembered is not asked for again; an effect happens once, unless somebody said that it had not
    I13  what has a review is handed over once it was shown to somebody who may decide, or as its terms say in the end
    I14  nothing is given to code that is older than it, no field of it is lost, and what is older can be read
    I15  no event is passed that nobody has handled, a consumer is held by one, and what it does is done once
    I16  what was appended to a run is there whole, told of and waited for; nothing is asked for twice, no path too long
    I17  what is spent and reserved never passes a cap, and nothing was spent that is not counted
    I18  nobody is given what somebody has paused; it goes on when that ends, and a command is obeyed once
    I19  no more places of a pool are held than it has; of several who break a deadlock one does
    I20  a run says that it needs a review exactly while all that is left of it waits for a person
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segue.testing.simulation.executions import Executions
from segue.testing.simulation.grown import Grown
from segue.testing.simulation.ledger import Accounts, name_of
from segue.testing.simulation.places import Places
from segue.testing.simulation.rows import Rows
from segue.testing.simulation.standing import Standing
from segue.testing.simulation.steered import Steered
from segue.testing.simulation.writes import Writes

if TYPE_CHECKING:
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.workload import Order
    from segue.testing.simulation.world import World


class Oracle:
    """Judges one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._wrong = world.violated
        self._accounts = Accounts()
        self.executions = Executions(world, self._accounts)
        self._steered = Steered(world, self._accounts)
        self._writes = Writes(world, self._accounts, self.executions, self._steered)
        self.grown = Grown(world)
        self._rows = Rows(world, self._accounts, self.grown, self._steered)
        self._places = Places(world)
        self._standing = Standing(world)

    def transition(self, verb: str, args: Sequence[Any], result: Any) -> None:
        """A verb was carried out: what it says and what it did must agree with each other and with the accounts."""
        self._writes.look(verb, args, result)
        self._steered.look()
        self._rows.look(verb)
        self.grown.look()
        self._world.watching.look(verb, args, result)
        self._places.look(verb)
        self._standing.look()

    def answered(self, verb: str, args: Sequence[Any], result: Any) -> None:
        """An answer has reached a process: from now on it counts on it."""
        if verb == "settle":
            self._writes.acknowledged(args[0], result[0])
        elif verb == "renew":
            self.executions.told(args[0], result)

    def submitted(self, order: Order, run: str) -> None:
        """Somebody was told under which id the run stands that he wanted."""
        self._world.saw("submitted" if order.run is None else "submitted again")
        if order.run not in (None, run):
            self._wrong("I2", f"the run under {order.key} was {order.run} and is {run} now")
        if run not in self._world.truth.runs:
            self._wrong("I2", f"{run} was acknowledged and is not there")
        order.run = run

    def stopped(self, process: Process, since: float) -> None:
        """An engine was asked to stop and has. If nothing was in its way it holds no claim, and its places are free."""
        world = self._world
        in_its_way = (
            process.gave_up or process.paused_until > since or world.weather.was_away(since, world.now)
        )
        if in_its_way or not process.was_undisturbed(since - world.lease_seconds / 2, 0):
            return
        taken = process.places_taken
        if taken != 0:
            self._wrong("I11", f"{process.name} has stopped, and {taken} of its places did not come back")
        for run in world.truth.runs.values():
            for task in run.tasks.values():
                key = (run.new.run, task.node, task.item)
                kept = task.state == "claimed" and task.worker == process.name
                if kept and self._accounts[key].granted_by != "submit":
                    self._wrong("I10", f"{process.name} has stopped, and has not handed back {task.node}")

    def last_look(self) -> None:
        """The world has come to its end: what was acknowledged is there, and nothing happened without a reason."""
        self._writes.check_acknowledged()
        for key, account in self._accounts.items():
            self._rows.check_kept(key)
            plan = self._world.plan_of(self._world.truth.runs[key[0]])
            pressed = plan.steps[key[1]].limits is not None or account.deadlocks > 0
            expected = 1 + account.handed_on + account.unknown
            if not self._world.weather.kinds and len(account.grants) > expected and not pressed:
                self._wrong(
                    "I10", f"{name_of(key)} was granted {len(account.grants)} times and nothing failed"
                )
        keys = [run.new.key for run in self._world.truth.runs.values()]
        if len(set(keys)) != len(keys):
            self._wrong("I1", "two runs stand under one key")
