"""The question "does Redis serve a worker?", asked of every primary that is used.

PING is not enough: a replica, a server without memory and a user without permissions answer it, too. So the probe sends
what the worker sends: a script and a function call, which Redis refuses for the same reasons as the real ones.
"""

from collections.abc import Sequence

from pageworker_supervisor.redis_client.errors import FunctionMissing
from pageworker_supervisor.redis_client.router import Router

SCRIPT = "#!lua\nreturn 1"
"""Does nothing. With this first line Redis checks before it runs whether it may write, as for functions."""
PADDING = bytes(32 * 1024)
"""Memory for a job: a Redis with less memory left counts as full."""
NO_FUNCTION = "pageworker_none"
"""A user who may call functions is told that this one is missing."""


class ServiceProbe:
    """Asks one primary per slot owner. `keys`: one of each slot in use."""

    def __init__(self, router: Router, keys: Sequence[str], functions: bool) -> None:
        self._router = router
        self._keys = keys
        self._functions = functions

    async def run(self) -> None:
        """Raises RedisClientError for the first primary that does not serve."""
        if self._router.is_cluster or not self._keys:
            await self._router.send_to_primaries("PING")
        key_by_primary = {await self._router.primary_of(key): key for key in reversed(self._keys)}
        for key in key_by_primary.values():
            # Refused by a replica, without memory, with too few replicas and on a full disk, as every script that may
            # write.
            await self._router.send("EVAL", SCRIPT, 1, key, PADDING, key=key)
            if self._functions:
                await self._may_call_functions(key)

    async def _may_call_functions(self, key: str) -> None:
        try:
            await self._router.send("FCALL", NO_FUNCTION, 1, key, key=key)
        except FunctionMissing:
            return
