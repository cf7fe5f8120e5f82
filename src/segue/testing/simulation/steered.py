"""The oracle's account of what people wanted with runs: what is paused, what was cancelled, and each command once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.domain.decisions import Control
from segue.domain.records import SETTLED, SINGLE, is_below
from segue.stores.memory.rows import Run
from segue.testing.simulation.ledger import Accounts, Key, name_of

if TYPE_CHECKING:
    from segue.testing.simulation.world import World

OPEN = frozenset({"running", "needs_review"})
WHOLE = ("", SINGLE)


class Steered:
    """Keeps the pauses itself, and looks whether the store keeps to them."""

    def __init__(self, world: World, accounts: Accounts) -> None:
        self._world = world
        self._wrong = world.violated
        self._accounts = accounts
        self._obeyed: dict[tuple[str, str], str] = {}
        self._pauses: dict[Key, tuple[str, int] | None] = {}
        """Those that stand, each with the task that ends it."""

    def controlled(self, control: Control, verdict: str) -> None:
        """Somebody has said what he wants, and was told what became of it."""
        self._world.saw(f"{control.kind} {verdict}")
        key, asked = (control.run, control.command), control.asked
        known = self._obeyed.get(key)
        if verdict == "accepted":
            if known is not None:
                self._wrong("I18", f"{control.run} has obeyed {control.command} twice")
            self._obeyed[key] = asked
            self._apply(control)
        elif (verdict == "repeated") != (known == asked):
            self._wrong("I18", f"{control.command} was told {verdict!r}, and {known!r} was obeyed before")

    def _apply(self, control: Control) -> None:
        keys = [target[:2] for target in control.targets] or [WHOLE]
        match control.kind:
            case "pause":
                until = None if control.until is None else control.until[:2]
                self._pauses |= dict.fromkeys([(control.run, *key) for key in keys], until)
            case "resume":
                for key in keys:
                    self._pauses.pop((control.run, *key), None)
            case "cancel":
                for target in control.targets:
                    self._cancelled((control.run, target.node, target.item), control)
                needless = {target.node for target in control.needless}
                for account in [
                    each for each in self._accounts if each[0] == control.run and each[1] in needless
                ]:
                    self._revoke(account)
            case "reassign":
                for key in keys:
                    self._revoke((control.run, *key))

    def _cancelled(self, key: Key, control: Control) -> None:
        """A task that had settled before was passed over."""
        account = self._accounts[key]
        if account.facts.state in SETTLED:
            return
        self._revoke(key)
        left = next(target.handoff for target in control.targets if target[:2] == key[1:])
        if left is not None:
            account.digests.append(left.digest)

    def _revoke(self, key: Key) -> None:
        account = self._accounts[key]
        if account.latest is not None:
            account.revoked.add(account.latest)
        account.due = 0.0

    def look(self) -> None:
        """End the pauses of what is over, or that lasted until then, and compare what stands with the store's."""
        runs = self._world.truth.runs
        for key, until in list(self._pauses.items()):
            run = runs[key[0]]
            if until is not None and _is_over(run, until):
                self._world.saw("pause ended by itself")
                del self._pauses[key]
            elif run.state not in OPEN or (key[1:] != WHOLE and _is_over(run, key[1:])):
                self._world.saw("pause ended with its task")
                del self._pauses[key]
        for name, run in runs.items():
            kept = {(name, *key) for key in run.pauses}
            wanted = {key for key in self._pauses if key[0] == name}
            if kept != wanted:
                self._wrong("I18", f"of {name} {sorted(kept)} are paused, and not {sorted(wanted)}")

    def holds(self, key: Key) -> bool:
        """Whether a task is to stand still, by itself or with its run."""
        run, node, item = key
        whole = (run, *WHOLE)
        if whole in self._pauses:
            until = self._pauses[whole]
            if until is None or not _goes_on(until, node, item):
                return True
        return key in self._pauses or (run, node, SINGLE) in self._pauses

    def check(self, key: Key, state: str) -> None:
        """A task lies still where it is to, and only there."""
        held = self.holds(key)
        if state == "ready" and held:
            self._wrong("I18", f"{name_of(key)} is ready, and somebody has paused it")
        if state == "paused" and not held:
            self._wrong("I18", f"{name_of(key)} is paused, and nobody wants that")


def _is_over(run: Run, key: tuple[str, int]) -> bool:
    """Whether a task has settled, a mapped one with all its items."""
    node, item = key
    tasks = (each for each in run.tasks.values() if each.node == node and item in (SINGLE, each.item))
    return all(each.state in SETTLED for each in tasks)


def _goes_on(until: tuple[str, int], node: str, item: int) -> bool:
    """Whether a pause that lasts for a task lets another go on: the task itself, its items, what these delegate."""
    if node == until[0]:
        return until[1] in (SINGLE, item)
    return is_below(node, until) or (until[1] == SINGLE and node.startswith(f"{until[0]}["))
