"""
A model call that is paid for once, and a payment that happens once, though the agent has to try three times.

The first attempt fails after the model has answered: the answer is remembered, and nobody asks the model again. The
second fails while it pays, so that nobody knows whether the payment was made: the third asks the shop, and takes the
receipt from there.

It prints:

    attempt 1
    the model is asked
    attempt 2
    the shop is paid
    attempt 3
    the shop is asked about order 7
    receipt 1 for a blue lamp
    the shop was paid 1 time
"""

from __future__ import annotations

import asyncio

from segue import DidNotHappen, Happened, Segue, agent, ctx, workflow


class Shop:
    """A service outside, which drops the line after the first payment."""

    def __init__(self) -> None:
        self.receipts: dict[str, str] = {}

    async def pay(self, item: str, *, idempotency_key: str) -> str:
        print("the shop is paid")
        self.receipts[idempotency_key] = f"receipt {len(self.receipts) + 1} for {item}"
        raise TimeoutError("the line broke, and with it the answer")

    async def look_up(self, key: str) -> Happened | DidNotHappen:
        print(f"the shop is asked about {key}")
        return Happened(self.receipts[key]) if key in self.receipts else DidNotHappen()


async def choose(wish: str) -> str:
    print("the model is asked")
    return f"a blue {wish}"


shop = Shop()


@agent(retries=2, backoff="1ms")
async def buy(wish: str) -> str:
    print(f"attempt {ctx.attempt}")
    item = await ctx.step("choose", choose, wish)
    if ctx.attempt == 1:
        raise ConnectionError("something else went wrong")
    async with ctx.effect("pay", key="order 7", reconcile=shop.look_up) as payment:
        return await payment.once(shop.pay, item)


@workflow
def shopping(wish: str) -> str:
    return buy(wish)


async def main() -> None:
    async with Segue("segue.db") as segue:
        print(await segue.run(shopping, "lamp"))
    print(f"the shop was paid {len(shop.receipts)} time")


if __name__ == "__main__":
    asyncio.run(main())
