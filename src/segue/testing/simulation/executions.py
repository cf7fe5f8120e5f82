"""The executions of agents, as the world sees them: who ran, with which token, from what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.domain.records import Token
from segue.testing.simulation.acting import Execution
from segue.testing.simulation.order import lacking_parent

UNTOLD = "nothing was said"
"""What an upcaster puts where the old code had no field."""

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Attempt
    from segue.testing.simulation.ledger import Accounts
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.world import World

CANCELLED_SECONDS = 0.1
"""How soon an agent has ended whose claim is lost."""


class Executions:
    """Every execution of a world, by its token."""

    def __init__(self, world: World, accounts: Accounts) -> None:
        self._world = world
        self._wrong = world.violated
        self._accounts = accounts
        self.by_token: dict[Token, Execution] = {}
        self._lost: dict[Token, float] = {}
        """When a process was told that it has lost a claim."""
        self._running: dict[Execution, None] = {}

    def begin(self, process: Process, attempt: Attempt, inputs: list[str]) -> Execution:
        """An agent begins."""
        token = attempt.claim.token
        execution = Execution(len(self.by_token) + 1, token, process, attempt.claim.agent, inputs)
        self._world.trace.note(process.name, "begins", attempt.name, token.epoch, execution.number)
        if token in self.by_token:
            self._wrong("I10", f"{token} was executed twice")
        self.by_token[token] = execution
        if attempt.confirmed is None:
            self._check_start(attempt)
        else:
            self._world.saw("started before its input was committed")
        if any(other.token[:3] == token[:3] for other in self._running):
            self._world.saw("two executions of one task at once")
        self._running[execution] = None
        self._check_room(process)
        return execution

    def _check_start(self, attempt: Attempt) -> None:
        token, account = attempt.claim.token, self._accounts[attempt.claim.token[:3]]
        if token not in account.grants:
            self._wrong("I5", f"{token} was executed and was never granted")
        if attempt.claim.overrun is not None:
            self._wrong(
                "I10", f"{token} was executed although its {attempt.claim.overrun} budget had run out"
            )
        if account.losses_at.get(token, 0) >= attempt.terms.settings.losses:
            self._wrong("I10", f"{token} was executed after {account.losses_at[token]} losses")
        run = self._world.truth.runs[token.run]
        lacking = lacking_parent(self._world.plan_of(run), run, run.tasks[token[1:3]])
        if lacking is not None:
            self._wrong("I5", f"{token} was executed although {lacking} has nothing to hand over")

    def _check_room(self, process: Process) -> None:
        here = Counter(each.agent for each in self._running if each.process is process and not each.waits)
        if here.total() > process.place.concurrency or here["single"] > 1:
            self._wrong(
                "I11", f"{process.name} runs {dict(here)}, and it has {process.place.concurrency} places"
            )

    def heard(self, process: Process, text: str, why: str | None) -> None:
        """An agent was given a word that another one made: all of it, if its code knows all of it."""
        sender = next(each for each in self.by_token.values() if each.number == int(text.rpartition("#")[2]))
        codes = sender.process.place.code, process.place.code
        self._world.saw(f"{codes[0]} word for {codes[1]} code")
        if codes == ("new", "old"):
            self._wrong("I14", f"{process.name} was given {text}, which newer code has sent")
        if codes[1] == "new" and why != (text if codes[0] == "new" else UNTOLD):
            self._wrong("I14", f"{process.name} was given {text}, and its reason became {why!r}")

    def pause(self, execution: Execution) -> None:
        """An agent waits for a `Later`: it needs no place meanwhile."""
        execution.waits = True

    def resume(self, execution: Execution) -> None:
        """It goes on."""
        execution.waits = False
        self._check_room(execution.process)

    def end(self, execution: Execution) -> None:
        """An agent ends, in whatever way: soon, if its claim was lost."""
        lost_at = self._lost.get(execution.token)
        awake = execution.process.alive and lost_at is not None and execution.process.paused_until <= lost_at
        if awake and lost_at is not None and self._world.now > lost_at + CANCELLED_SECONDS:
            self._wrong("I3", f"{execution.token} went on although its process knew that it was superseded")
        self._running.pop(execution, None)

    def told(self, tokens: Sequence[Token], alive: Sequence[bool]) -> None:
        """A process was told which of its claims still stand."""
        for token, lives in zip(tokens, alive, strict=True):
            if not lives:
                self._lost.setdefault(token, self._world.now)

    def process_gone(self, process: Process) -> None:
        """What ran there runs no more."""
        for execution in [each for each in self._running if each.process is process]:
            del self._running[execution]
