"""Pushes tasks as producers do, until Redis has them for sure; and cancels some."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from redis import exceptions as rx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chaos.deployments import Ground
from chaos.work import Task
from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client.errors import RedisUnavailable

INBOX, JOBS = "pw:inbox", "pw:jobs"
PAUSE_SECONDS = 0.1
WAIT_MS = 500


class ChaosProducer:
    """`pushed` is what Redis said yes to, by name; `texts` those that carry none."""

    def __init__(self, ground: Ground, queue: QueueClient, threads: Executor) -> None:
        self.pushed: dict[JobRef, Task] = {}
        self.texts = 0
        self._ground = ground
        self._queue = queue
        self._threads = threads
        self._clients: dict[int, Redis] = {}
        self._to_cancel: list[JobRef] = []

    async def push(self, tasks: Sequence[Task]) -> None:
        """Push these, and cancel what the last call pushed and is to be cancelled."""
        for task in tasks:
            if task.ref is None:
                self.texts += 1
            else:
                self.pushed[task.ref] = task
        listed = [task for task in tasks if not task.by_stream]
        streamed = [task for task in tasks if task.by_stream]
        again = [task for task in listed if task.twice]
        await self._send(INBOX, [("RPUSH", INBOX, task.text) for task in (*listed, *again)])
        await self._send(JOBS, [("XADD", JOBS, "*", "job", task.text) for task in (*streamed, *streamed[:1])])
        for ref in self._to_cancel:
            await self._cancel(ref)
        self._to_cancel = [task.ref for task in tasks if task.ref and task.cancelled]

    async def _send(self, key: str, commands: Sequence[tuple[str, ...]]) -> None:
        """Until they are where they cannot be forgotten. What was pushed before a failure is pushed again."""
        while commands:
            try:
                await self._try(key, commands)
            except (rx.RedisError, OSError, LookupError, TimeoutError):
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _try(self, key: str, commands: Sequence[tuple[str, ...]]) -> None:
        node = await asyncio.get_running_loop().run_in_executor(self._threads, self._ground.primary_of, key)
        async with self.client(node.port).pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            if self._ground.replicas:
                pipe.execute_command("WAIT", self._ground.replicas, WAIT_MS)
            replies = await pipe.execute()
        if self._ground.replicas and replies[-1] < self._ground.replicas:
            raise TimeoutError("no replica has it")

    async def _cancel(self, ref: JobRef) -> None:
        try:
            await self._queue.inspection.cancel(ref)
        except RedisUnavailable:
            return  # nobody is owed a cancellation that was never confirmed

    def client(self, port: int) -> Any:
        """A plain client of one node."""
        if port not in self._clients:
            retry = Retry(NoBackoff(), 0)
            self._clients[port] = Redis(port=port, retry=retry, socket_timeout=3, protocol=2)
        return self._clients[port]

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
