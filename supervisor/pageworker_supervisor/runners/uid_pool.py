"""User ids for runners. Each live runner has its own, so that no runner can signal or trace another."""

from collections.abc import Iterator
from contextlib import contextmanager

from pageworker_sandbox.launch import GatewayUsers
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.runners.errors import SpawnFailed


class UidPool:
    """Lends the user ids that this daemon has reserved.

    Only root can change users. Otherwise (`ids` is None) every runner is the daemon's own user, in its own namespaces.
    """

    def __init__(self, ids: IdRange | None) -> None:
        self.gateway = GatewayUsers(None, None)
        self.redis: int | None = None
        """The user id of the embedded Redis."""
        self._free: list[int] | None = None
        if ids is not None:
            self.gateway = GatewayUsers(ids.first, ids.first + 1)
            self.redis = ids.last
            self._free = list(range(ids.last - 1, ids.first + 1, -1))

    @contextmanager
    def lent(self) -> Iterator[int | None]:
        """A user id that no other process uses while the block runs; None if the daemon is not root."""
        if self._free is None:
            yield None
            return
        if not self._free:
            raise SpawnFailed("no user id is left: raise `sandbox.uids`")
        uid = self._free.pop()
        try:
            yield uid
        finally:
            # Last in the queue: a user id is reused as late as possible.
            self._free.insert(0, uid)
