"""Users for runners: each live runner has one of its own, so that no two can signal or trace each other."""

from collections.abc import Iterator
from contextlib import contextmanager

from pageworker_sandbox.launch import GatewayUsers
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.runners.errors import SpawnFailed


class UidPool:
    """Lends the user ids that this daemon has reserved. Only root can change users; otherwise (`ids` is None) every
    runner is our own user in namespaces of its own."""

    def __init__(self, ids: IdRange | None) -> None:
        self.gateway = GatewayUsers(None, None)
        self.redis: int | None = None
        """Of the daemon's own Redis, where it has one."""
        self._free: list[int] | None = None
        if ids is not None:
            self.gateway = GatewayUsers(ids.first, ids.first + 1)
            self.redis = ids.last
            self._free = list(range(ids.last - 1, ids.first + 1, -1))

    @contextmanager
    def lent(self) -> Iterator[int | None]:
        """A user that nobody else has while the block runs; None where we are not root."""
        if self._free is None:
            yield None
            return
        if not self._free:
            raise SpawnFailed("no user id is left: raise `sandbox.uids`")
        uid = self._free.pop()
        try:
            yield uid
        finally:
            # Behind the others: a user id rests as long as possible before it is used again.
            self._free.insert(0, uid)
