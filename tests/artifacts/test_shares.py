"""Shares of a limited resource, decided without I/O: bounds hold whatever is claimed, and no tenant waits forever."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.artifacts.shares import ShareClaim, TenantShares

TENANTS = st.sampled_from("abc")
STEPS = st.lists(st.tuples(TENANTS, st.integers(0, 5)), max_size=40)


def release(claim: ShareClaim) -> None:
    """As at the end of its block."""
    with claim:
        pass


async def test_one_tenant_holds_a_part_at_most_and_all_together_the_total() -> None:
    shares = TenantShares(10, 5)
    first, second, third = (shares.claim("a", 3) for _ in range(3))
    assert (first.granted.done(), second.granted.done()) == (True, False)
    with shares.claim("b", 5) as other:
        assert other.granted.done()
        assert shares.used == 8
    release(first)
    assert (second.granted.done(), third.granted.done()) == (True, False)
    release(third)
    release(second)
    assert shares.used == 0


async def test_the_tenant_that_holds_least_is_next() -> None:
    shares = TenantShares(6, 4)
    held = [shares.claim("a", 2), shares.claim("b", 4)]
    waiting = shares.claim("a", 2)
    newcomer = shares.claim("c", 2)
    release(held[1])
    assert newcomer.granted.done()
    assert waiting.granted.done(), "there are units for both"
    shares = TenantShares(4, 4)
    first = shares.claim("a", 2)
    second = shares.claim("b", 2)
    more, newcomer = shares.claim("a", 2), shares.claim("c", 2)
    release(second)
    assert (newcomer.granted.done(), more.granted.done()) == (True, False)
    release(first)
    assert more.granted.done()


async def test_a_large_claim_is_not_overtaken() -> None:
    shares = TenantShares(10, 10)
    small = shares.claim("a", 4)
    large = shares.claim("b", 8)
    later = shares.claim("c", 2)
    assert (large.granted.done(), later.granted.done()) == (False, False)
    release(small)
    assert (large.granted.done(), later.granted.done()) == (True, True)


async def test_a_claim_that_is_given_up_leaves_the_queue() -> None:
    shares = TenantShares(4, 4)
    first, second, third = (shares.claim("a", 4) for _ in range(3))
    release(second)
    release(first)
    assert third.granted.done()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with shares.claim("a", 4) as late:
                await late.granted
    release(third)
    assert shares.used == 0
    with pytest.raises(ValueError, match="at most 4"):
        shares.claim("a", 5)


async def test_units_that_come_free_for_a_cancelled_claim_are_released_with_it() -> None:
    """Its waiting task is cancelled, and has not left its block yet."""
    shares = TenantShares(4, 4)
    first, cancelled, next_claim = (shares.claim(tenant_id, 4) for tenant_id in "abc")
    cancelled.granted.cancel()
    release(first)
    assert not next_claim.granted.done()
    release(cancelled)
    assert next_claim.granted.done()


@given(STEPS)
def test_bounds_hold_and_all_are_served_in_the_end(steps: list[tuple[str, int]]) -> None:
    """The number of a step is how many units it claims. With 0 it releases the oldest that are held."""

    async def play() -> None:
        shares, claims = TenantShares(7, 5), list[ShareClaim]()
        for tenant_id, amount in steps:
            if amount:
                claims.append(shares.claim(tenant_id, amount))
            elif held := [claim for claim in claims if claim.granted.done()]:
                claims.remove(held[0])
                release(held[0])
            by_tenant: Counter[str] = Counter()
            for claim in claims:
                by_tenant[claim.tenant_id] += claim.amount * claim.granted.done()
            assert by_tenant.total() == shares.used <= 7
            assert all(units <= 5 for units in by_tenant.values())
        while claims:
            oldest = next(claim for claim in claims if claim.granted.done())
            claims.remove(oldest)
            release(oldest)

    asyncio.run(play())


async def test_a_claim_that_needs_less_lets_others_in() -> None:
    shares = TenantShares(10, 8)
    with shares.claim("a", 8) as first, shares.claim("b", 4) as second:
        assert not second.granted.done()
        with pytest.raises(ValueError, match="held: False"):
            second.shrink(1)
        first.shrink(6)
        assert (second.granted.done(), shares.used) == (True, 10)
        with pytest.raises(ValueError, match="7 units"):
            first.shrink(7)
    assert shares.used == 0
