"""The permits that this runner asks the supervisor for, one per request to a host with a limit on requests.

A permit is for a host and for the moment at which it comes, not for a certain request: the request that waits longest
for the host gets it. So no moment is lost when a page goes elsewhere while its requests wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from pageworker_runner.pages.host_globs import host_matcher, is_canonical
from pageworker_sandbox.wire import messages as m

REMEMBERED_HOSTS = 1024


class PermitClient:
    """Permits that are asked for and not answered yet, of all pages and modules."""

    def __init__(self, hosts: tuple[str, ...], put: Callable[[m.Message], None]) -> None:
        """`hosts`: the hosts and globs that need permits, in canonical form."""
        self.hosts = hosts
        self._matches: Callable[[str], bool] = lru_cache(REMEMBERED_HOSTS)(host_matcher(hosts))
        self._put = put
        self._number = 0
        self._asked: dict[int, str] = {}
        """The host of each permit that is not answered yet, though its request may be gone."""
        self._waiting: dict[str, deque[asyncio.Future[bool]]] = {}
        """The requests that wait, by host."""

    def needed_for(self, host: str) -> bool:
        """Whether a request to this host needs a permit. The supervisor has a better look at unusual spellings."""
        return bool(self.hosts) and (self._matches(host) or not is_canonical(host))

    async def ask(self, host: str, *, tls: bool = False) -> bool:
        """Return when a request to `host` may begin: True. False: it is refused, because it would wait too long."""
        if len(self._asked) >= m.MAX_WAITING_PERMITS:
            return False
        self._number += 1
        self._asked[self._number] = host
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(host, deque()).append(answer)
        self._put(m.PermitRequest(number=self._number, host=host, tls=tls))
        return await answer

    def answered(self, message: m.PermitAnswer) -> None:
        """The supervisor's answer."""
        host = self._asked.pop(message.number, None)
        if host is not None:
            self._end_wait(host, permitted=not message.refused)

    def unused(self, host: str) -> None:
        """A request was gone when its permit came: the next one has it."""
        self._end_wait(host, permitted=True)

    def _end_wait(self, host: str, *, permitted: bool) -> None:
        waiting = self._waiting.get(host, deque())
        while waiting:
            answer = waiting.popleft()
            if not answer.done():  # else it was cancelled
                answer.set_result(permitted)
                break
        if not waiting:
            self._waiting.pop(host, None)
