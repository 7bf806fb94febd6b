"""The permits that this runner asks the supervisor for, one per request to a host with a limit on requests."""

import asyncio
from collections.abc import Callable
from functools import lru_cache

from pageworker_runner.pages.host_globs import host_matcher, is_canonical
from pageworker_sandbox.wire import messages as m

REMEMBERED_HOSTS = 1024


class RequestPermits:
    """Permits that are asked for and not answered yet, of all pages and modules."""

    def __init__(self, hosts: tuple[str, ...], put: Callable[[m.Message], None]) -> None:
        """`hosts`: the hosts and globs that need permits, in canonical form."""
        self.hosts = hosts
        self._matches: Callable[[str], bool] = lru_cache(REMEMBERED_HOSTS)(host_matcher(hosts))
        self._put = put
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[bool]] = {}

    def needed_for(self, host: str) -> bool:
        """Whether a request to this host needs a permit. The supervisor has a better look at unusual spellings."""
        return bool(self.hosts) and (self._matches(host) or not is_canonical(host))

    async def ask(self, host: str) -> bool:
        """Return when a request to `host` may begin: True. False: it is refused, because it would wait too long."""
        if len(self._waiting) >= m.MAX_WAITING_PERMITS:
            return False
        self._asked += 1
        number = self._asked
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        # Kept until the answer comes, though its request may be gone before: the supervisor counts it until then.
        self._waiting[number] = answer
        self._put(m.PermitRequest(number=number, host=host))
        return await answer

    def answered(self, message: m.PermitAnswer) -> None:
        """The supervisor's answer."""
        answer = self._waiting.pop(message.number, None)
        if answer is not None and not answer.done():
            answer.set_result(not message.refused)
