"""Writes that count only when replicas have them.

Redis replicates asynchronously: a failover can lose a write that was acknowledged. WAIT asks how many replicas have
confirmed what its own connection wrote, so the write and its WAIT go down one connection.

A failover leaves a primary short of replicas for some seconds. Writes then raise NotReplicated and are repeated, until
the shortage has lasted `patience_seconds`. After that it is the state of the deployment, for instance one that has lost
a replica for good: writes no longer wait, because a lost replica must not stop the work.
"""

import time
from collections.abc import Sequence
from typing import Any

from pageworker_supervisor.redis_client.errors import NotReplicated
from pageworker_supervisor.redis_client.router import Argument, Router

SHORTEST_WAIT_MS = 1
"""WAIT takes 0 for "without a limit"."""


class ReplicatedWrites:
    """Sends writes and waits for `replicas` confirmations (0: for none)."""

    def __init__(self, router: Router, replicas: int, wait_seconds: float, patience_seconds: float) -> None:
        self._router = router
        self._replicas = replicas
        self._wait_ms = int(wait_seconds * 1000)
        self._patience_seconds = patience_seconds
        self._short_since: dict[str, float] = {}
        """Primaries that are short of replicas, and since when."""

    async def send(self, command: Sequence[Argument], *, key: str) -> Any:
        """The reply of one write on the slot of `key`. Raises NotReplicated and other errors of the Redis client."""
        if not self._replicas:
            return await self._router.send(*command, key=key)
        primary = await self._router.primary_of(key)
        accepted = self._short_for(primary) > self._patience_seconds
        wait = ("WAIT", self._replicas, SHORTEST_WAIT_MS if accepted else self._wait_ms)
        reply, confirmed = await self._router.send_together((command, wait), key=key)
        if confirmed >= self._replicas:
            self._short_since.pop(primary, None)
        else:
            self._short_since.setdefault(primary, time.monotonic())
            if not accepted:
                raise NotReplicated(f"{confirmed} of {self._replicas} required replicas confirmed the write in time")
        return reply

    def _short_for(self, primary: str) -> float:
        """Seconds since the first write that too few replicas confirmed; 0 where the last one was confirmed."""
        now = time.monotonic()
        return now - self._short_since.get(primary, now)
