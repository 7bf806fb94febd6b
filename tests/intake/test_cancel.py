"""Cancelled at any await, an intake loses nothing and doubles nothing."""

import asyncio
import random

import pytest
from pw_intake import Counter, job


@pytest.mark.parametrize("seed", range(2))
async def test_cancelled_at_any_moment(counter: Counter, seed: int) -> None:
    chance = random.Random(seed)
    expected: set[str] = set()
    for round_ in range(25):
        names = [f"{source}{round_}" for source in ("list", "stream")]
        await counter.push(*(job(i, names[0]) for i in range(20)))
        await counter.add(*(job(i, names[1]) for i in range(20)))
        expected |= {f"{name}-{i}" for name in names for i in range(20)}
        async with counter.intake(f"w{chance.randrange(3)}"):
            await asyncio.sleep(chance.uniform(0, 0.012))  # the moment at which it is cancelled
    async with counter.intake("last"):
        await counter.settled()
    order = await counter.order()
    assert len(order) == len(set(order))
    assert set(order) == expected
    assert await counter.letters() == []


async def test_what_was_taken_is_left_for_the_next(counter: Counter) -> None:
    """Cancelled between taking and queueing: the moment that matters, every time."""
    await counter.push(*(job(i) for i in range(5)))
    await counter.add(*(job(i, "stream") for i in range(5)))
    taken = asyncio.Event()
    async with counter.intake("first") as intake:
        for source in intake._sources.values():
            hang(source, taken)
        await taken.wait()
    assert await counter.jobs() == 0
    assert await counter.on_the_way() == 10
    async with counter.intake("second"):
        await counter.reached(10)
        await counter.settled()


def hang(source: object, taken: asyncio.Event) -> None:
    """Make its enqueuer hang once something was taken."""

    class HangingEnqueuer:
        async def admit(self, *_: object, **__: object) -> None:
            taken.set()
            await asyncio.Event().wait()

    vars(source)["_enqueuer"] = HangingEnqueuer()
