"""
`ctx.effect`: something that an agent does outside, such as a payment, whose intent and outcome are on record.

The intent is committed before the body of the block runs, the outcome before the block is left. Who finds an intent
without its outcome does not know whether the effect happened: `reconcile` is asked, or else a person, and the body does
not run before somebody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from pydantic_core import from_json

from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.waiting import Waitable
from segue.domain.rows import StepRecord, StepState
from segue.domain.running.steps import (
    KEY_PARAMETER,
    DidNotHappen,
    Happened,
    Kept,
    checked_key,
    checked_name,
    derived_key,
    draft,
    keep,
    result_schema,
    standing_of,
    takes_key,
)
from segue.engine.abilities import results
from segue.engine.abilities.calling import Answer, Calling
from segue.errors import EffectInDoubt, SegueError, StaleEpoch, UsageError

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Running

T = TypeVar("T")

Reconciled = Happened | DidNotHappen | Literal["unknown"] | None
"""What a `reconcile` function can say of an effect in doubt."""

Reconcile = Callable[[str], Reconciled | Awaitable[Reconciled]]

_ANYTHING = schema_of(Any)


class Effect:
    """
    One effect of an attempt, and the block around it: `async with ctx.effect("charge") as charge:`.

    `key` is the same in every attempt: give it to the service outside as an idempotency key. `happened` says that
    nothing is to be done any more, and `result` what came of it.
    """

    def __init__(self, running: Running, name: str, key: str | None, reconcile: Reconcile | None) -> None:
        self._facts = running.facts
        self._notebook = running.notebook
        self._name = checked_name("effect", name)
        self._where = f"effect {name!r} of {self._facts.task}"
        self._reconcile = reconcile
        self.key = checked_key(name, key) or derived_key(
            self._facts.run, self._facts.task, self._facts.scope + name
        )
        self.happened = False
        self._data = b"null"
        self._outcome: Kept | DidNotHappen | None = None
        """What the body has said, to be written when the block is left."""
        self._is_open = False
        self._is_uncertain = False
        """Something was called that did not come back with an answer."""

    @property
    def result(self) -> Any:
        """What is on record as the result, as plain JSON data; None while nothing is."""
        return from_json(self._data)

    # --- the way in -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._entering()
        return self

    def __enter__(self) -> Self:
        _refuse_in_loop()
        self._entering().wait()
        return self

    def _entering(self) -> Calling[None]:
        return Calling(self._where, self._look, self._ask, self._act, _nothing, self._notebook.block)

    async def _look(self) -> Answer | None:
        """See what earlier attempts have left. None: `reconcile` is to be asked."""
        known = await self._notebook.recall("effect", self._name)
        await self._notebook.confirm()
        if known is not None:
            self.key = known.key
        match standing_of(known):
            case "done" if known is not None:
                self._data = await results.get(known)
                self.happened = True
            case "new":
                await self._begin()
            case _ if self._reconcile is None:
                raise self._doubt("an earlier attempt began it and left no word of its outcome")
            case _:
                return None
        self._is_open = True
        return Answer(None)

    def _ask(self) -> Reconciled | Awaitable[Reconciled]:
        assert self._reconcile is not None
        return self._reconcile(self.key)

    async def _act(self, told: Any) -> None:
        """Do what `reconcile` has said."""
        match told:
            case Happened(result=result):
                await self._write_done(keep(result, _ANYTHING, self._where))
            case DidNotHappen():
                await self._begin(self._draft("withdrawn"))
            case None | "unknown":
                raise self._doubt(
                    "an earlier attempt began it, and `reconcile` cannot tell whether it happened"
                )
            case _:
                raise UsageError(
                    f"{self._where}: `reconcile` returned {told!r}",
                    remedy="Let it return Happened(result), DidNotHappen(), or None where it cannot tell.",
                )
        self._is_open = True

    async def _begin(self, *before: StepRecord) -> None:
        """Commit the intent. If the attempt is cancelled meanwhile, so that the body never runs, take it back."""
        writing = asyncio.ensure_future(self._notebook.write(*before, self._draft("begun")))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            with contextlib.suppress(SegueError):
                await writing
                await self._notebook.write(self._draft("withdrawn"))
            raise

    def _doubt(self, why: str) -> EffectInDoubt:
        command = shlex.join(["segue", "resolve", self._facts.run, self._facts.task, self._name])
        error = EffectInDoubt(
            f"{self._where} is in doubt: {why}",
            remedy=f"Find out, then say it: {command} --happened JSON, or --did-not-happen.",
        )
        self._notebook.doubt(error)
        return error

    # --- the body -------------------------------------------------------------------------------------

    @overload
    def once(self, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> Waitable[T]: ...
    @overload
    def once(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Waitable[T]: ...
    def once(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Waitable[Any]:
        """
        Call `fn` and record its result, unless that is on record: then return it, and call nothing.

        A function with a parameter `idempotency_key` is given the key. The outcome is committed before this returns. If
        `fn` raises, nobody knows whether the effect happened, unless the body says `did_not_happen()`.

        Raises UsageError outside the block, or if the effect was called before and did not come to an end.
        """
        with self._nothing_called():
            schema = result_schema(fn, self._where)

        async def recall() -> Answer | None:
            self._check_open()
            if self.happened:
                return Answer(results.load(self._data, schema, self._where))
            if self._outcome is not None or self._is_uncertain:
                raise UsageError(
                    f"{self._where} was tried before in this block",
                    remedy="Call `once` once; another try is for the next attempt, which finds out first.",
                )
            with self._nothing_called():
                await self._notebook.confirm()
            self._is_uncertain = True
            return None

        def call() -> Any:
            return fn(*args, **({KEY_PARAMETER: self.key} if takes_key(fn) else {}) | kwargs)

        async def remember(value: Any) -> Any:
            kept = keep(value, schema, self._where)
            await self._write_done(kept)
            return results.load(kept.data, schema, self._where)

        return Calling(self._where, recall, call, remember, _nothing, self._notebook.block)

    @contextlib.contextmanager
    def _nothing_called(self) -> Iterator[None]:
        """What goes wrong in here goes wrong before anything was called: no doubt comes of it."""
        try:
            yield
        except BaseException:
            if not self._is_uncertain:
                self._outcome = self._outcome or DidNotHappen()
            raise

    def done(self, result: Any = None) -> None:
        """
        Say that the effect happened, with this result; it is recorded when the block is left, even by an exception.

        Raises UsageError if the outcome is known already, and PayloadError if the result has no JSON form.
        """
        self._check_undecided()
        self._outcome = keep(result, _ANYTHING, self._where)

    def did_not_happen(self) -> None:
        """
        Say that the effect certainly did not happen: its intent is taken back when the block is left.

        Raises UsageError if the outcome is known already.
        """
        self._check_undecided()
        self._outcome = DidNotHappen()

    # --- the way out ----------------------------------------------------------------------------------

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._notebook.block(lambda: self._leave(error))

    async def _leave(self, error: BaseException | None) -> None:
        self._is_open = False
        if self.happened:
            return
        if self._outcome is None and (error is not None or self._is_uncertain):
            return  # nobody knows: the next attempt finds the intent
        outcome = self._outcome or keep(None, _ANYTHING, self._where)
        # Where the body has failed, its error is the one to be told.
        with contextlib.suppress(*([StaleEpoch] if error is not None else [])):
            if isinstance(outcome, DidNotHappen):
                await self._notebook.write(self._draft("withdrawn"))
            else:
                await self._write_done(outcome)

    async def _write_done(self, kept: Kept) -> None:
        await results.put(kept)
        await self._notebook.write(self._draft("done", kept))
        self._data = kept.data
        self.happened = True

    def _draft(self, state: StepState, kept: Kept | None = None) -> StepRecord:
        return draft("effect", self._name, state, self.key, kept)

    def _check_open(self) -> None:
        if not self._is_open:
            raise UsageError(
                f"{self._where} is not open",
                remedy='Use it inside `async with ctx.effect("charge") as charge:`.',
            )

    def _check_undecided(self) -> None:
        self._check_open()
        if self.happened or self._outcome is not None:
            raise UsageError(
                f"the outcome of {self._where} is known already", remedy="Look at `happened` before you act."
            )


def _nothing() -> None:
    """A call that raised: what became of it is not known, and nothing is to be done."""


def _refuse_in_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError("`with ctx.effect(...)` would block the event loop", remedy="Use `async with`.")
