"""Limits how often one peer may look unknown credentials up."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.token_buckets import TokenBuckets

T = TypeVar("T")

REMEMBERED = 10_000


class KnownCredentials:
    """Those that were valid at their last use are not held up by unknown ones of the same peer, e.g. a proxy."""

    def __init__(self, failures_per_second: float, burst: int) -> None:
        self._failures = TokenBuckets(failures_per_second, burst)
        self._valid: OrderedDict[bytes, None] = OrderedDict()
        """Digests."""

    async def look_up(self, untrusted_text: str, peer: str, look: Callable[[], Awaitable[T | None]]) -> T | None:
        """What `look` finds; None: the credential is unknown. Raises ApiProblem."""
        digest = _digest(untrusted_text)
        if digest not in self._valid and (wait := self._failures.empty_for(peer, time.monotonic())) > 0:
            raise ApiProblem("rate_limited", "Too many requests with unknown tokens", retry_after=wait)
        found = await look()
        if found is None:
            self._valid.pop(digest, None)
            self._failures.take(peer, time.monotonic())
            return None
        self.remember(untrusted_text)
        return found

    def remember(self, text: str) -> None:
        """This one is valid."""
        digest = _digest(text)
        self._valid[digest] = None
        self._valid.move_to_end(digest)
        if len(self._valid) > REMEMBERED:
            self._valid.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
