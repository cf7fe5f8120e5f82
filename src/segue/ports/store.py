"""
The contract between Segue and whatever keeps its state.

A store applies transitions that were decided elsewhere (`segue.domain`): each is checked against state and token and
written with its events in one transaction, or refused without a trace. Every verb takes a batch where a batch makes
sense, and one call is one round trip: one transaction on SQLite, one pipeline on Postgres, one script per transition on
Redis. Nothing here says how rows are kept.

What every store promises, and `segue.testing` checks:

- A task is ready when all the hand-offs it needs are there; the transaction that settles the last one makes it so.
- Only `claim` (also on behalf of a settlement) raises an epoch, always by one, and never lowers it.
- A claim that was lost with its worker is counted by the claim that follows it, in `losses`; what is settled, given
  back or revoked is no loss.
- A fenced write is accepted only while its epoch and claim are those of the task, the task is `claimed`, or `ready` or
  `paused` again (its lease ran out but nobody has claimed it since), and its run is not cancelled. Repeating what was
  accepted with the same token and the same hand-off digest answers `repeated`, whatever happened since; with another
  digest, `stale`.
- A state and its events commit together. Events of a run are numbered 1, 2, 3 ... without a gap.
- No more places of a pool are given out than it has: a claim takes all that its task needs, or the task stays ready.
  Which places are held is never counted, it follows from the claims: one that is only to be settled holds none, one
  that is parked only what it keeps. Whose turn it is, `segue.domain.running.pooling` says.
- A hand-off is never overwritten. A claim pins version and digest of each input in the transaction that grants it.
- Time is the store's own: leases by a clock that runs on while the machine sleeps, records by the wall clock.

All verbs raise `StoreError` (or a subclass) when the store cannot answer; the caller may repeat the call as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, Protocol

from segue.domain.decisions import Append, Control, Decision
from segue.domain.records import (
    Claim,
    ClaimRequest,
    NewRun,
    Pin,
    RunState,
    Settled,
    Settlement,
    Submitted,
    Token,
    Verdict,
)
from segue.domain.rows import (
    Event,
    Expired,
    GrownRecord,
    PauseRecord,
    RunRecord,
    StepRecord,
    StoredHandoff,
    TaskRecord,
)
from segue.ports.consumers import ConsumerStore
from segue.ports.notifier import Notifier
from segue.ports.payloads import PayloadStore
from segue.ports.pools import PoolStore
from segue.ports.spending import SpendingStore

NoteKind = Literal["awaited", "progress", "slow"]


class Note(NamedTuple):
    """A fenced remark of a running attempt; `pin` is the hand-off of a `Later` that it has now taken as an input."""

    token: Token
    agent: str
    kind: NoteKind
    pin: Pin | None
    data: str | None


class StoreFacts(NamedTuple):
    """What a store says of itself: `bytes_stored` counts its files, without artifacts."""

    kind: str
    version: str
    durability: str
    incarnation: str
    location: str
    bytes_stored: int
    runs: int
    tasks: int
    handoffs: int
    events: int


class Store(ConsumerStore, PayloadStore, PoolStore, SpendingStore, Protocol):
    """Where runs, tasks, hand-offs and events live, and how far their consumers have got."""

    @property
    def notifier(self) -> Notifier:
        """Says that something was committed, by this process or another."""
        ...

    async def open(self) -> None:
        """Open or create the store. Raises `StoreUnavailable`, `StoreTooNew` or `StoreCorrupt` with the remedy."""
        ...

    async def close(self) -> None:
        """Commit what is waiting and let go of every file or connection. Closing twice is harmless."""
        ...

    async def submit(self, runs: Sequence[NewRun], worker: str, lease_seconds: float) -> Sequence[Submitted]:
        """
        Create runs with their roots ready, or claimed for `worker` where a root carries a claim id.

        A run whose key exists is not created again: the answer names the one that stands, with no claims. Raises
        `KeyConflict` if that one has another workflow, graph or input, `PoolTooSmall` if a pool that a new run needs is
        not there or too small, and then creates none of the runs. The payloads of the runs are registered; one whose
        version stands for other fields, or is new here and below those that are known, raises `SchemaDrift`, and then
        nothing is written either. Submitting the same run id again is harmless: it answers as before, with the claims
        that still stand.
        """
        ...

    async def settle(
        self,
        settlements: Sequence[Settlement],
        worker: str,
        lease_seconds: float,
        claim: ClaimRequest | None = None,
    ) -> tuple[Sequence[Settled], Sequence[Claim]]:
        """
        End attempts, release their dependents, and claim for the same worker, all in one round trip.

        Each settlement is accepted or refused by itself; a refused one claims nothing. Releases that carry a claim id
        are claimed for `worker` if they are ready now. A dependent that is already claimed or settled is left alone.
        `retry` counts a failure, puts the task back to ready after `not_before` seconds and revokes the claim;
        `handed_back` does so at once and counts neither as a failure nor as an attempt, and so does `unreadable`, after
        which only workers get the task that read what it `requires`; `reassigned` does so at once
        for the agent `successor`, which begins without failures and losses. `in_doubt` revokes the claim and leaves the
        task to a person; `needs_review` does so for `review_seconds` from now. The last settlement that a run waits for
        ends the run: `failed` if any of its tasks is failed or dead, or was cancelled, and that is not tolerated, else
        `complete`. A run needs a review when one of its tasks needs one or is in doubt, and none is ready, claimed or
        paused, but for claims that are parked for nodes of which some have not settled. That is looked at with every
        verb that changes it, and each change has its event. What is repeated is answered with the claims that still
        stand and the state of a run that is not running. `claim`, if given, is answered last, as by `claim()`.
        """
        ...

    async def claim(self, request: ClaimRequest) -> Sequence[Claim]:
        """
        Claim ready tasks, in runs that are not cancelled: first those that are only to be settled, then, oldest first,
        those of the worker's agents whose time has come.

        A task that `requires` something is given only to a worker that `reads` that payload in this or a later version.
        Only to be settled are broken tasks, and tasks that lay ready past their `queue_by`, or ready or paused past
        their deadline (`Claim.overrun` says which; the deadline comes first). They are given to any worker and count
        neither against the limit of their agent nor as suspects.
        """
        ...

    async def renew(self, tokens: Sequence[Token], lease_seconds: float) -> Sequence[bool]:
        """Lengthen the leases of live claims from now. False: superseded, revoked or settled; stop working."""
        ...

    async def expire(self, dead_workers: Collection[str] = (), past_lease: bool = True) -> Sequence[Expired]:
        """
        Put back to ready what is claimed by dead workers or past its lease. State and epoch are checked in the write.

        The claim id is kept, so that a late result which nobody has superseded is still accepted; the claim that comes
        next counts the loss. Without `past_lease` leases are left alone, as after an outage in which nobody could
        renew. What was claimed before its deadline and has passed it is taken back in any case and for good: the claim
        is revoked, its worker can write nothing more, and any worker may claim the task to settle it. Consumers that
        dead workers hold are let go.
        """
        ...

    async def note(self, notes: Sequence[Note]) -> Sequence[Verdict]:
        """Append fenced remarks of running attempts as events, and record the pins that they carry."""
        ...

    async def append(self, token: Token, append: Append) -> Verdict:
        """
        Let a run grow by a task that a running attempt delegates, ready at once.

        Fenced by the attempt's token, and written whole: the node, the task with its first hand-off, which its claims
        have pinned, one more node (`RunRecord.grown`) and one more task that the run waits for. `repeated` if the node
        is there with this key and document; with others, `stale`. Raises `PoolTooSmall` if a pool cannot meet what
        it needs.
        """
        ...

    async def record(self, token: Token, steps: Sequence[StepRecord]) -> Verdict:
        """
        Write down what a running attempt has finished or is about to do, all of it or nothing, each with its event.

        A name is a step or an effect for good. A step is written once, and never changed. An effect is `begun` where
        nothing is known of it or where it was `withdrawn`, never over an intent without its outcome; it is `done` or
        `withdrawn` only where it was begun, by this attempt or an earlier one. `stale` is what is refused, by the fence
        or by these rules.
        """
        ...

    async def resolve(self, run: str, node: str, item: int, step: StepRecord, data: str | None) -> Verdict:
        """
        Write a person's word on an effect in doubt: that it is `done`, or `withdrawn` because it did not happen.

        Accepted while the effect is begun and nobody can be working on the task: not while that is ready, claimed or
        paused. The last doubt of a task that is `in_doubt` puts it back to ready, its claim revoked. `stale` if
        somebody else decided before, `repeated` if they said the same.
        """
        ...

    async def review(self, decision: Decision) -> Verdict:
        """
        Write what was decided on a hand-off in review.

        Accepted while the task needs a review with exactly this version after so many escalations; a person's word
        before its time (`review_by`) is over, that of the terms (`by_policy`) from then on. What is approved or
        rejected is the next version and settles the task; what is escalated starts the time anew, for others. Else
        `stale`, with nothing written. That somebody was `refused` is told of any task that there is. Repeating a call
        with the same id answers `repeated`, whatever happened since.
        """
        ...

    async def control(self, control: Control) -> Verdict:
        """
        Do what somebody wants with a run or with tasks of it, and write down who wanted it and why, all in one.

        `repeated` if the run has obeyed this command before, `stale` if it was for something else or if what is wanted
        cannot be (any more): then nothing is written. All but `retry` and `annotate` need a run that has not ended. Of
        several targets those that do not fit are passed over; if none fits, it is `stale`.

        - `pause`: what would be ready is `paused`, and nobody is given it to run it; what runs may end, and is revoked
          with `interrupt`. A task needs to be open and not to be paused by itself, a run not to be paused, unless the
          interrupt finds something that runs. What comes into being in a paused run is paused, and so are the items of
          a mapped task that was. The rows of `until`, and what these have delegated, are not paused with their run, and
          the pause ends in the transaction in which the last of these rows settles. The pause of a task goes with it
          when it settles, that of a mapped one when all its items have, and those of a run when it ends: what is tried
          again is not paused. Past its deadline a paused task is to be settled all the same: it stays paused until it
          is claimed for that.
        - `resume`: the pause of the run, or of the task, ends. What is paused in no other way is ready, without delay.
        - `cancel`: an open task is `cancelled`, its claim revoked, and its dependents are told; its hand-off must be
          the next version. What is `needless` then is cancelled with all its items, and tells nobody; and so is what is
          open when the run has come to its end since. A cancelled run takes all its open tasks along.
        - `reassign`: a task that is ready, claimed or paused is to be claimed anew, its claim revoked, its failures and
          losses forgotten; by `successor`, if one is named, else only where somebody has, or has lost, a claim. Raises
          `PoolTooSmall` if a pool cannot meet what that one needs.
        - `retry`: what has failed, is dead or cancelled, or was skipped or waits because of these, is tried again.
          Accepted only while the run has ended without being cancelled, or needs a review, nothing has happened in it
          since the decision (`progress`), and every task has its epoch. Failures, losses and errors of the tasks are
          forgotten; epochs, attempts and versions go on. What is ready keeps its inputs, unless some were missing.
          Raises `PoolTooSmall` if they need a pool that has become smaller meanwhile.
        - `annotate`: nothing but the event.
        """
        ...

    async def next_due(self, agents: Collection[str]) -> float | None:
        """
        Seconds until the next delayed retry of one of these agents, or until the next lease or budget of any task ends;
        None if there is none.

        What fell due since this store last claimed (for that agent) counts as due now (0.0), so that nothing is missed
        between a claim and this call; what a claim left lying is not spoken of again.
        """
        ...

    async def read_run(self, run: str) -> RunRecord | None:
        """A run by its id."""
        ...

    async def find_run(self, key: str) -> RunRecord | None:
        """A run by the key that it was submitted under."""
        ...

    async def list_runs(
        self, limit: int, before: str | None = None, states: Collection[RunState] = ()
    ) -> Sequence[RunRecord]:
        """Runs, newest first; `before` is a run id to continue from; no states means all."""
        ...

    async def read_graph(self, digest: str) -> str | None:
        """The JSON of a pinned graph."""
        ...

    async def read_growth(self, run: str) -> Sequence[GrownRecord]:
        """The nodes that were appended to a run, in this order."""
        ...

    async def read_schema(self, fingerprint: str) -> str | None:
        """The JSON Schema behind a fingerprint."""
        ...

    async def read_tasks(self, run: str, names: Collection[tuple[str, int]] = ()) -> Sequence[TaskRecord]:
        """The tasks of a run that have come into being, by node and item; no names means all."""
        ...

    async def read_reviews(self, expired_only: bool = False) -> Sequence[TaskRecord]:
        """
        The tasks of open runs that wait for a decision on their hand-off, by run, node and item.

        With `expired_only` some of those on which nobody has decided in time, longest overdue first.
        """
        ...

    async def read_steps(self, run: str, node: str, item: int) -> Sequence[StepRecord]:
        """What a task remembers across its attempts, by name."""
        ...

    async def read_pauses(self, run: str | None = None) -> Sequence[PauseRecord]:
        """The pauses that stand, of one run or of all, the run's own before those of its tasks."""
        ...

    async def read_command(self, run: str, command: str) -> str | None:
        """What the run was asked for by a command that it has obeyed (`Control.asked`)."""
        ...

    async def read_handoffs(self, run: str, pins: Sequence[tuple[str, int, int]]) -> Sequence[StoredHandoff]:
        """Exactly these hand-offs (node, item, version), in this order, without those that cannot be read."""
        ...

    async def latest_handoffs(self, run: str, nodes: Collection[str] = ()) -> Sequence[StoredHandoff]:
        """The latest version of each hand-off of a run, or of these nodes of it."""
        ...

    async def tail(
        self, after: str | None, limit: int, run: str | None = None
    ) -> tuple[Sequence[Event], str]:
        """
        Events after a cursor, oldest first, and the cursor to go on from (also when there are none).

        None starts at the beginning. Raises `CursorExpired` for a cursor of another incarnation or before what is kept.
        """
        ...

    async def cursor(self) -> str:
        """The cursor of now: `tail` from here gives only what comes later."""
        ...

    async def register_worker(self, worker: str, about: str) -> None:
        """Make a worker known (`about` is JSON: host, process id, boot id) so that others can tell when it died."""
        ...

    async def forget_workers(self, workers: Collection[str]) -> None:
        """Forget workers that have ended and hold no claims."""
        ...

    async def list_workers(self) -> Sequence[tuple[str, str]]:
        """Known workers and what they said about themselves."""
        ...

    async def artifact_references(self) -> Sequence[str]:
        """Digests of all artifacts that a stored hand-off, step or effect points to."""
        ...

    async def prune(self, ended_before: float) -> int:
        """
        Delete runs that ended before a time (seconds of the wall clock) with all that belongs to them; how many.

        Runs with events that a consumer has not passed yet are kept.
        """
        ...

    async def facts(self) -> StoreFacts:
        """What this store is and holds."""
        ...
