"""What a tenant or a domain may use."""

from functools import lru_cache

from msgspec import Struct

NO_LIMITS = "1 1000 0 100"
"""The text of the defaults, as in queue/lua/limits.lua."""


class QuotaLimits(Struct, frozen=True):
    """Jobs at once and jobs per second of a tenant or a domain. `weight` counts for tenants only."""

    weight: float = 1.0
    concurrency: int = 1000
    rate_per_second: float | None = None
    burst: int = 100


@lru_cache(1024)
def limits_text(limits: QuotaLimits) -> str:
    """The form in Redis: weight, concurrency, rate (0: none), burst."""
    return f"{limits.weight:g} {limits.concurrency} {limits.rate_per_second or 0:g} {limits.burst}"


def share_of(limits: QuotaLimits, shards: int) -> QuotaLimits:
    """A domain's limits on one of several shards. The sum is never above the whole, unless shards outnumber it."""
    if shards == 1:
        return limits
    rate = limits.rate_per_second
    return QuotaLimits(
        weight=limits.weight,
        concurrency=max(1, limits.concurrency // shards),
        rate_per_second=None if rate is None else rate / shards,
        burst=max(1, limits.burst // shards),
    )
