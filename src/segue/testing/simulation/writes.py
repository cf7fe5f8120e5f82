"""The oracle's eye on what the store says to those who write: who may, and whether the answer is true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from segue.domain.records import SINGLE, HandoffRecord, Settled, Settlement, Token
from segue.domain.rows import Expired
from segue.testing.simulation.ledger import Account, Accounts, Key, name_of, written_by
from segue.testing.simulation.order import lacking_parent, texts_of, wrong_inputs
from segue.testing.simulation.reviewed import Reviewed
from segue.testing.simulation.rows import EARLY
from segue.testing.simulation.workload import AGENTS

if TYPE_CHECKING:
    from segue.domain.decisions import Append, Decision, Untangling
    from segue.testing.simulation.executions import Executions
    from segue.testing.simulation.steered import Steered
    from segue.testing.simulation.world import World

REVOKING = frozenset({"retry", "handed_back", "reassigned", "handed_on", "unreadable", "deadlocked"})


class Writes:
    """Judges answers by the accounts as they were before."""

    def __init__(self, world: World, accounts: Accounts, executions: Executions, steered: Steered) -> None:
        self._world = world
        self._wrong = world.violated
        self._accounts = accounts
        self._executions = executions
        self._reviewed = Reviewed(world, accounts)
        self._steered = steered
        self._acknowledged: dict[tuple[Key, int], str] = {}

    def look(self, verb: str, args: Sequence[Any], result: Any) -> None:
        """Look at the answer of a verb."""
        match verb:
            case "settle":
                for settlement, settled in zip(args[0], result[0], strict=True):
                    self._settled(settlement, settled)
            case "append":
                self._appended(args[0], args[1], result)
            case "review":
                self._decided(args[0], result)
            case "control":
                self._steered.controlled(args[0], result)
            case "untangle":
                self._untangled(args[0], result)
            case "renew":
                self._renewed(args[0], args[1], result)
            case "expire":
                self._expired(set(args[0]) if args else set(), result)

    def _appended(self, token: Token, append: Append, verdict: str) -> None:
        self._world.saw(f"append {verdict}")
        if verdict == "accepted":
            account = self._accounts[token[:3]]
            if token != account.latest or token in account.revoked:
                self._wrong("I3", f"{token} was superseded by {account.latest} and appended {append.node}")
            self._accounts[token.run, append.node, SINGLE].digests.append(append.handoff.digest)

    def _settled(self, settlement: Settlement, settled: Settled) -> None:
        token = settlement.token
        account = self._accounts[token[:3]]
        written = written_by(settlement)
        before = account.accepted.get(token)
        if token not in account.grants and settlement.ending != "handed_back":
            self._wrong("I5", f"{token} has a result and was never granted")
        self._world.saw(f"settlement {settled.verdict}")
        match settled.verdict:
            case "accepted":
                if before is not None:
                    self._wrong("I1", f"{token} was accepted a second time")
                self._accept(settlement, account)
            case "repeated":
                if before != written:
                    self._wrong("I2", f"{token} was told 'repeated' and had written {before}, not {written}")
            case "stale":
                if before == written:
                    self._wrong("I2", f"{token} was told 'stale' about what it has written itself")
                may_write = token == account.latest and token not in account.revoked and before is None
                if may_write and account.facts.state in ("claimed", "ready", "paused"):
                    self._wrong("I2", f"{token} was refused although nobody has superseded it")

    def _untangled(self, untangling: Untangling, settled: Settled) -> None:
        self._world.saw(f"deadlock {settled.verdict}")
        if untangling.control is not None:
            self._steered.controlled(untangling.control, settled.verdict)
        if untangling.settlement is not None and settled.verdict == "accepted":
            account = self._accounts[untangling.settlement.token[:3]]
            account.deadlocks += 1
            self._settled(untangling.settlement, settled)

    def _accept(self, settlement: Settlement, account: Account) -> None:
        token, ending, handoff = settlement.token, settlement.ending, settlement.handoff
        if token in account.revoked:
            self._wrong("I3", f"{token} was revoked and wrote {ending}")
        # What was begun early may be handed back with the very commit that grants it.
        with_its_grant = ending == "handed_back" and account.latest is None
        if token != account.latest and not with_its_grant:
            self._wrong("I3", f"{token} was superseded by {account.latest} and wrote {ending}")
        if account.facts.state == "ready":
            self._world.saw("late result accepted")
        account.accepted[token] = written_by(settlement)
        is_hearer = settlement.agent == "hearer"
        if is_hearer and settlement.data is not None and '"kind":"InvalidPayload"' in settlement.data:
            self._wrong("I14", f"{token} could not be read: {settlement.data}")
        self._world.saw(f"ending {ending}")
        self._reviewed.settled(settlement)
        if ending in REVOKING:
            account.revoked.add(token)
            account.handed_back += ending in ("handed_back", "unreadable")
            account.unknown += ending == "unreadable" or '"kind":"UnknownAgent"' in (settlement.data or "")
            account.due = self._world.now + settlement.not_before
            account.failures += ending == "retry"
            self._check_tries(settlement, account)
        if handoff is not None:
            self._check_handoff(token, handoff, account)
        if ending == "handed_on":
            account.handed_on += 1
            self._world.oracle.grown.handed_on(self._world.truth.runs[token.run], token.node, token.item)

    def _check_tries(self, settlement: Settlement, account: Account) -> None:
        step = self._world.plan_of(self._world.truth.runs[settlement.token.run]).steps[settlement.token.node]
        terms = step.terms.get(settlement.agent)
        settings = None if terms is None else terms.settings
        if account.handed_on:
            settings = AGENTS[settlement.agent].settings
        allowed = 0 if settings is None else settings.retry.retries
        if account.failures > allowed:
            self._wrong(
                "I10", f"{name_of(settlement.token[:3])} is tried again after {account.failures} failures"
            )

    def _check_handoff(self, token: Token, handoff: HandoffRecord, account: Account) -> None:
        account.digests.append(handoff.digest)
        if handoff.version != len(account.digests):
            self._wrong("I1", f"{name_of(token[:3])} got version {handoff.version} twice, or left one out")
        run = self._world.truth.runs[token.run]
        plan, task = self._world.plan_of(run), run.tasks[token[1:3]]
        lacking = lacking_parent(plan, run, task)
        fails_with_it = (
            handoff.status == "failed" and plan.steps[token.node].node.settings.on_failure == "fail"
        )
        if lacking is not None and not fails_with_it:
            self._wrong(
                "I5", f"{name_of(token[:3])} is {handoff.status}, and {lacking} has nothing to hand over"
            )
        execution = self._executions.by_token.get(token)
        if handoff.status != "complete" or execution is None:
            return
        problem = wrong_inputs(plan, run, task, execution.inputs)
        if problem is not None:
            self._wrong("I4", f"{name_of(token[:3])}: {problem}")
        if any(f"#{execution.number}" not in text for text in texts_of(handoff)):
            self._wrong("I1", f"{token} has handed over what it did not make")

    def _decided(self, decision: Decision, verdict: str) -> None:
        self._reviewed.decided(decision, verdict)
        key, handoff = (decision.run, decision.node, decision.item), decision.handoff
        account = self._accounts[key]
        if verdict == "repeated" and decision.id not in account.decisions:
            self._wrong("I2", f"{decision.id} was told that it was written, and it was not")
        if verdict == "stale" and decision.id in account.decisions:
            self._wrong("I2", f"{decision.id} was told 'stale' about what it has written itself")
        if verdict == "accepted":
            account.decisions.add(decision.id)
            if handoff is not None:
                account.digests.append(handoff.digest)
                if handoff.version != len(account.digests):
                    self._wrong("I1", f"two decisions on {name_of(key)}")

    def _renewed(self, tokens: Sequence[Token], lease_seconds: float, alive: Sequence[bool]) -> None:
        for token, kept in zip(tokens, alive, strict=True):
            account = self._accounts[token[:3]]
            if not kept:
                self._world.saw("renewal refused")
                continue
            if account.facts.state != "claimed" or token != account.latest or token in account.revoked:
                self._wrong("I3", f"{token} was renewed and had lost its claim")
            account.lease_until = self._world.now + lease_seconds

    def _expired(self, dead: set[str], expired: Iterable[Expired]) -> None:
        for worker in dead:
            if (process := self._world.by_name.get(worker)) is not None and process.alive:
                self._wrong("I10", f"{worker} was taken for dead and lives")
        for each in expired:
            if each.worker in dead:
                self._world.saw("death noticed")
            elif not self._is_too_late(each):
                self._ran_out((each.run, each.node, each.item), each.worker)

    def _is_too_late(self, expired: Expired) -> bool:
        deadline = self._world.truth.runs[expired.run].tasks[expired.node, expired.item].deadline
        return deadline is not None and deadline <= self._world.clock.wall()

    def _ran_out(self, key: Key, worker: str) -> None:
        self._world.saw("lease ran out")
        account = self._accounts[key]
        if self._world.now < account.lease_until - EARLY:
            self._wrong("I10", f"{name_of(key)} was taken from {worker} before its lease ran out")
        process = self._world.by_name.get(worker)
        since = account.lease_until - self._world.lease_seconds
        if process is not None and process.was_healthy(since) and account.granted_by != "submit":
            self._wrong(
                "I10", f"{worker} has let the lease of {name_of(key)} run out, and nothing was in its way"
            )

    def acknowledged(self, settlements: Sequence[Settlement], answers: Sequence[Settled]) -> None:
        """A process was told what became of these."""
        for settlement, settled in zip(settlements, answers, strict=True):
            handoff = settlement.handoff
            if settled.verdict != "stale" and handoff is not None:
                self._acknowledged[settlement.token[:3], handoff.version] = handoff.digest

    def check_acknowledged(self) -> None:
        """Whatever a process was told to be written is there."""
        for (key, version), digest in self._acknowledged.items():
            stored = self._world.truth.runs[key[0]].handoffs.get(key[1:], [])
            if len(stored) < version or stored[version - 1].record.digest != digest:
                self._wrong("I2", f"version {version} of {name_of(key)} was acknowledged and is lost")
