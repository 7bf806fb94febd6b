"""How many requests each token may send: one bucket per name, refilled at a constant rate. Pure."""

import math
from collections import OrderedDict

from msgspec import Struct

MOST_BUCKETS = 65_536
"""The bucket that was used least recently is forgotten. It is full again by then, unless all are in use."""


class BucketState(Struct, frozen=True):
    """A bucket after a request. `wait_seconds`: until the next one may come; 0: at once."""

    allowed: bool
    left: int
    wait_seconds: float


class TokenBuckets:
    """Buckets of `burst` requests each, with `rate` new ones per second. Times are monotonic seconds."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Name, and what it held at which time."""

    def take(self, name: str, now: float) -> BucketState:
        """Take one request out of a bucket, if there is one."""
        level = self._level(name, now)
        allowed = level >= 1
        level -= 1 if allowed else 0
        self._buckets[name] = (level, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return BucketState(allowed, math.floor(level), 0.0 if level >= 1 else (1 - level) / self.rate)

    def state(self, name: str, now: float) -> BucketState:
        """A bucket as it is. Takes none."""
        level = self._level(name, now)
        return BucketState(level >= 1, math.floor(level), self.empty_for(name, now))

    def empty_for(self, name: str, now: float) -> float:
        """Seconds until the bucket has a request again; 0: it has one. Takes none."""
        level = self._level(name, now)
        return 0.0 if level >= 1 else (1 - level) / self.rate

    def _level(self, name: str, now: float) -> float:
        held, since = self._buckets.get(name, (float(self.burst), now))
        return min(float(self.burst), held + max(0.0, now - since) * self.rate)


def limit_headers(buckets: TokenBuckets, state: BucketState) -> dict[str, str]:
    """The headers `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10). `q`: the quota, `w`:
    seconds in which it is refilled, `r`: what is left, `t`: seconds until more is there."""
    window = max(1, math.ceil(buckets.burst / buckets.rate))
    return {
        "RateLimit-Policy": f'"token";q={buckets.burst};w={window}',
        "RateLimit": f'"token";r={state.left};t={math.ceil(state.wait_seconds)}',
    }
