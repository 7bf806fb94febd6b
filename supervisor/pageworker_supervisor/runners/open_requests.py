"""The open requests of this worker to hosts with a limit on them: who begins next, and the calls to Redis for that.

What may begin and which call is due is decided in open_count.py. `run` makes the calls, one at a time per host.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import NoReturn, Protocol

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.queue.request_counts import CountReply
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.runners.open_count import CountCall, OpenCount
from pageworker_supervisor.runners.waiting_turns import WaitingTurns
from pageworker_supervisor.telemetry import log


class Counts(Protocol):
    """Where the workers' counts are."""

    async def hold(self, host: str, worker_id: str, *, limit: int, holds: int, wants: int) -> CountReply:
        """See `RequestCounts.hold`. Raises RedisClientError."""


class HostRequests:
    """The requests to one host."""

    def __init__(self) -> None:
        self.count = OpenCount()
        self.waiting = WaitingTurns[asyncio.Future[None]]()

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten."""
        return self.count.idle and not len(self.waiting)

    def serve(self, limit: int | None, now: float) -> None:
        """Begin what may begin."""
        while len(self.waiting) and self.count.begin(limit, now):
            self.waiting.take().set_result(None)


class OpenRequests:
    """Of all hosts. `run` must run, or nothing is granted."""

    def __init__(
        self, worker_id: str, counts: Counts, availability: Availability, limit_of: Callable[[str], int | None]
    ) -> None:
        """`limit_of`: how many requests to a host may be open now, of all workers together; None: any number."""
        self._worker_id = worker_id
        self._counts = counts
        self._availability = availability
        self._limit_of = limit_of
        self._hosts: dict[str, HostRequests] = {}
        self._changed = asyncio.Event()

    async def begin(self, host: str, owner: object, deadline: float) -> bool:
        """Return when a request to `host` may begin: True. It is open until `end`. False: not before `deadline`.

        Owners, which are runners, take turns. `deadline` is a time of the event loop.
        """
        requests = self._hosts.setdefault(host, HostRequests())
        permit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        requests.waiting.add(owner, permit)
        self._look(host, requests)
        try:
            async with asyncio.timeout_at(deadline):
                await permit
        except BaseException as error:
            if permit.done() and not permit.cancelled():
                self.end(host)  # it came in the same moment
            if isinstance(error, TimeoutError):
                return False
            raise
        finally:
            requests.waiting.remove(owner, permit)
        return True

    def end(self, host: str) -> None:
        """A request that had begun has ended."""
        requests = self._hosts[host]
        requests.count.end(asyncio.get_running_loop().time())
        self._look(host, requests)

    async def run(self) -> NoReturn:
        """Make the calls until cancelled."""
        async with TaskGroup() as tasks:
            while True:
                self._changed.clear()
                due_at = min((self._advance(tasks, *each) for each in list(self._hosts.items())), default=inf)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(None if due_at == inf else due_at):
                        await self._changed.wait()
        raise AssertionError("unreachable")

    def _look(self, host: str, requests: HostRequests) -> None:
        requests.serve(self._limit_of(host), asyncio.get_running_loop().time())
        self._changed.set()

    def _advance(self, tasks: asyncio.TaskGroup, host: str, requests: HostRequests) -> float:
        """Make the call that is due for a host. Returns when the next one is."""
        now, limit = asyncio.get_running_loop().time(), self._limit_of(host)
        requests.serve(limit, now)
        if requests.idle:
            del self._hosts[host]
            return inf
        due_at = requests.count.due_at(len(requests.waiting), limit, now)
        if limit is not None and due_at <= now:
            call = requests.count.call(len(requests.waiting), limit, now)
            tasks.create_task(self._call(host, requests, call, limit))
            return inf
        return due_at

    async def _call(self, host: str, requests: HostRequests, call: CountCall, limit: int) -> None:
        now = asyncio.get_running_loop().time
        began = now()

        async def hold() -> CountReply:
            nonlocal began
            began = now()
            return await self._counts.hold(host, self._worker_id, limit=limit, holds=call.holds, wants=call.wants)

        try:
            reply = await self._availability.retry_until_available(hold)
        except RedisClientError as error:
            log.error("no count of open requests", host=host, waiting=len(requests.waiting), reason=str(error))
            requests.count.failed(now())
        else:
            requests.count.replied(call, reply, began, now())
        self._look(host, requests)
