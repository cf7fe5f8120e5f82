"""Spending budgets: reservations and charges, fenced and never beyond a cap."""

from __future__ import annotations

from segue.domain.decisions import Target
from segue.domain.records import SINGLE, Amounts, Claim
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, release, root, settlement
from segue.testing.conformance.growing import append

Numbers = dict[tuple[str, str], tuple[int, int, int]]


async def _submit(desk: Desk, caps: Amounts) -> tuple[str, Claim]:
    new = desk.new_run(root("a", desk.id("claim")))._replace(caps=caps)
    (submitted,) = await desk.store.submit([new], WORKER, LEASE_SECONDS)
    return new.run, submitted.claims[0]


async def _numbers(desk: Desk, run: str) -> Numbers:
    found = await desk.store.read_spending(run)
    return {(each.account, each.unit): (each.cap, each.spent, each.reserved) for each in found}


async def _delegated(desk: Desk, claim: Claim, *names: str, share: int = 60) -> list[Claim]:
    """Claims of tasks that are delegated, each by the one before, the first with a share if there is one."""
    claims: list[Claim] = []
    for name in names:
        if share and not claims:
            await desk.store.reserve(claim.token, f"share of {name}", (("tokens", share),), name)
        await desk.store.append(claim.token, append(name))
        (claim,) = await desk.claim("child_agent")
        claims.append(claim)
    return claims


class SpendingConformance(Suite):
    """What `reserve` and `spend` do, whole or not at all."""

    async def test_a_reservation_is_settled_by_what_was_spent(self, desk: Desk) -> None:
        """Reserved is what is not settled, spent is what was said, else what was reserved; no other unit is counted."""
        run, claim = await _submit(desk, (("tokens", 100), ("calls", 2)))
        asked = (("tokens", 60), ("cost", 7), ("calls", 1))
        assert (await desk.store.reserve(claim.token, "1", asked)).verdict == "accepted"
        assert await _numbers(desk, run) == {("", "calls"): (2, 0, 1), ("", "tokens"): (100, 0, 60)}
        assert (await desk.store.spend(claim.token, "1", (("tokens", 20),))).verdict == "accepted"
        assert await _numbers(desk, run) == {("", "calls"): (2, 1, 0), ("", "tokens"): (100, 20, 0)}

    async def test_nothing_is_given_beyond_the_cap(self, desk: Desk) -> None:
        """All of it or none: the answer says of what there was not enough, and nothing was written."""
        run, claim = await _submit(desk, (("tokens", 100), ("calls", 1)))
        await desk.store.reserve(claim.token, "1", (("tokens", 60), ("calls", 1)))
        before = await _numbers(desk, run)
        answer = await desk.store.reserve(claim.token, "2", (("tokens", 40), ("calls", 1)))
        assert answer == ("exceeded", ("", "calls", 1, 0, 1, 1))
        assert await _numbers(desk, run) == before
        answer = await desk.store.spend(claim.token, "3", (("tokens", 50),))
        assert answer == ("exceeded", ("", "tokens", 100, 0, 60, 50))
        assert (await _numbers(desk, run))["", "tokens"] == (100, 40, 60)

    async def test_spending_is_fenced_and_may_be_repeated(self, desk: Desk) -> None:
        """The same name again is `repeated`; an attempt that was superseded changes nothing."""
        run, claim = await _submit(desk, (("tokens", 100),))
        token, asked = claim.token, (("tokens", 10),)
        verdicts = [(await desk.store.reserve(token, "1", asked)).verdict for _ in range(2)]
        verdicts += [(await desk.store.spend(token, "1", ())).verdict for _ in range(2)]
        assert verdicts == ["accepted", "repeated", "accepted", "repeated"]
        await desk.store.reserve(token, "2", asked)
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        (again,) = await desk.claim("a_agent")
        assert (await desk.store.reserve(token, "3", asked)).verdict == "stale"
        assert (await desk.store.spend(token, "2", ())).verdict == "stale"
        assert (await _numbers(desk, run))["", "tokens"] == (100, 10, 10)
        assert (await desk.store.reserve(again.token, "4", asked)).verdict == "accepted"
        assert (await _numbers(desk, run))["", "tokens"] == (100, 20, 10)

    async def test_a_share_is_taken_from_above_and_comes_back(self, desk: Desk) -> None:
        """A delegation spends from its share, other units from above; with its end that is what it has spent."""
        run, claim = await _submit(desk, (("tokens", 100), ("calls", 9)))
        name, store = "a/child.1", desk.store
        await store.reserve(claim.token, "share", (("tokens", 50),), name)
        assert (await _numbers(desk, run))["", "tokens"] == (100, 0, 50)
        await store.append(claim.token, append(name))
        assert (await store.spend(claim.token, "share", ())).verdict == "stale"
        (child,) = await desk.claim("child_agent")
        answer = await store.reserve(child.token, "1", (("tokens", 51),))
        assert answer == ("exceeded", (name, "tokens", 50, 0, 0, 51))
        await store.reserve(child.token, "1", (("tokens", 30), ("calls", 1)))
        await store.spend(child.token, "1", (("tokens", 20),))
        await desk.end(child, run_resolved=1)
        assert (await store.spend(claim.token, "share", ())).verdict == "stale"
        assert await _numbers(desk, run) == {
            ("", "calls"): (9, 1, 0),
            ("", "tokens"): (100, 20, 0),
            (name, "tokens"): (50, 20, 0),
        }

    async def test_a_share_comes_back_whatever_becomes_of_who_asked(self, desk: Desk) -> None:
        """It may have ended in any way before: with the last task below it, what was not spent is there again."""
        for how in ("dead", "complete", "cancelled", "needless"):
            run, claim = await _submit(desk, (("tokens", 100),))
            child, below = await _delegated(desk, claim, "a/child.1", "a/child.1/child.1")
            await desk.store.reserve(child.token, "1", (("tokens", 10),))
            if how in ("dead", "complete"):
                await desk.settle(settlement(claim, None, ending=how, run_resolved=1))  # type: ignore[arg-type]
            elif how == "cancelled":
                await desk.control(run, "cancel", "a")
            else:
                other = release("b", need=0, resolved=0)
                await desk.control(run, "cancel", Target("b", SINGLE, other), needless=(Target("a", SINGLE),))
            assert (await _numbers(desk, run))["", "tokens"] == (100, 0, 60)
            await desk.settle(settlement(child, None, ending="dead", run_resolved=1))
            assert (await _numbers(desk, run))["", "tokens"] == (100, 0, 60)
            await desk.store.reserve(below.token, "1", (("tokens", 20),))
            await desk.store.spend(below.token, "1", (("tokens", 5),))
            await desk.settle(settlement(below, None, ending="dead", run_resolved=1))
            assert await _numbers(desk, run) == {
                ("", "tokens"): (100, 15, 0),  # what the dead one had reserved may have been spent
                ("a/child.1", "tokens"): (60, 5, 10),
            }, how

    async def test_the_shares_of_a_run_come_back_with_its_end(self, desk: Desk) -> None:
        """Also if it is cancelled as a whole, or ends without those that nobody needed."""
        for how in ("cancelled", "cut short"):
            run, claim = await _submit(desk, (("tokens", 100),))
            child, _ = await _delegated(desk, claim, "a/child.1", "a/child.1/child.1")
            await desk.store.spend(child.token, "1", (("tokens", 7),))
            if how == "cancelled":
                await desk.cancel(run)
            else:
                await desk.control(run, "cancel", "a/child.1/child.1")
                await desk.settle(settlement(claim, None, ending="dead", run_resolved=3))
            assert (await desk.run(run)).ended_at is not None
            assert (await _numbers(desk, run))["", "tokens"] == (100, 7, 0)

    async def test_a_share_that_was_never_used_comes_back(self, desk: Desk) -> None:
        """Whoever set it aside and delegated nothing then keeps it while he is tried again, until he has settled."""
        run, claim = await _submit(desk, (("tokens", 100),))
        await desk.store.reserve(claim.token, "share", (("tokens", 60),), "a/child.1")
        await desk.settle(settlement(claim, None, ending="retry"))
        assert (await _numbers(desk, run))["", "tokens"] == (100, 0, 60)
        (again,) = await desk.claim("a_agent")
        await desk.settle(settlement(again, None, ending="dead", run_resolved=1))
        assert (await _numbers(desk, run))["", "tokens"] == (100, 0, 0)

    async def test_shares_within_shares_come_back_one_after_the_other(self, desk: Desk) -> None:
        """What the one below has left is left of the one above; what is spent by a task that is tried again counts."""
        run, claim = await _submit(desk, (("tokens", 100),))
        store = desk.store
        (child,) = await _delegated(desk, claim, "a/child.1")
        await store.reserve(child.token, "share", (("tokens", 40),), "a/child.1/child.1")
        (below,) = await _delegated(desk, child, "a/child.1/child.1", share=0)
        await store.spend(below.token, "1", (("tokens", 30),))
        await desk.settle(settlement(claim, None, ending="dead", run_resolved=1))
        await desk.settle(settlement(child, None, ending="dead", run_resolved=1))
        await desk.settle(settlement(below, None, ending="dead", run_resolved=1))
        assert await _numbers(desk, run) == {
            ("", "tokens"): (100, 30, 0),
            ("a/child.1", "tokens"): (60, 30, 0),
            ("a/child.1/child.1", "tokens"): (40, 30, 0),
        }
        await desk.retry(run, "a/child.1/child.1")
        (again,) = await desk.claim("child_agent")
        await store.spend(again.token, "2", (("tokens", 4),))
        await desk.settle(settlement(again, None, ending="dead", run_resolved=1))
        assert (await _numbers(desk, run))["", "tokens"] == (100, 34, 0)

    async def test_a_run_without_caps_counts_nothing(self, desk: Desk) -> None:
        """Everything is accepted, and there are no accounts; pruning takes what there is."""
        run, (claim,) = await desk.start("a")
        assert (await desk.store.reserve(claim.token, "1", (("tokens", 10**12),))).verdict == "accepted"
        assert (await desk.store.spend(claim.token, "1", ())).verdict == "accepted"
        assert not await desk.store.read_spending(run)
        other, budgeted = await _submit(desk, (("tokens", 1),))
        await desk.end(budgeted, run_resolved=1)
        await desk.end(claim, run_resolved=1)
        assert (await desk.task(run, "a", SINGLE)).state == "complete"
        desk.clock.advance(10)
        assert await desk.store.prune(desk.clock.wall()) == 2
        assert not await desk.store.read_spending(other)
