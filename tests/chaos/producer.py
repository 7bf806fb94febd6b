"""Pushes jobs as producers do, until Redis has confirmed them, and cancels some."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from redis import exceptions as rx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chaos.batches import ChaosBatches
from chaos.deployments import Deployment
from chaos.work import ChaosJob
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client.errors import RedisUnavailable

INBOX, JOBS = "pw:inbox", "pw:jobs"
PAUSE_SECONDS = 0.1
WAIT_MS = 500


class ChaosProducer:
    """`pushed`: the jobs that Redis accepted. `texts`: how many texts without a job id were pushed."""

    def __init__(self, deployment: Deployment, queue: QueueClient, threads: Executor, batches: ChaosBatches) -> None:
        self.pushed: dict[JobRef, ChaosJob] = {}
        self.texts = 0
        self.batches = batches
        self._deployment = deployment
        self._queue = queue
        self._threads = threads
        self._clients: dict[int, Redis] = {}
        self._to_cancel: list[JobRef] = []

    async def push(self, jobs: Sequence[ChaosJob]) -> None:
        """Push these jobs. Cancel the jobs of the last call that are to be cancelled."""
        for job in jobs:
            if job.ref is None:
                self.texts += 1
            else:
                self.pushed[job.ref] = job
                if job.batch is not None:
                    await self.batches.add(job.batch, job.ref)
        listed = [job for job in jobs if not job.by_stream]
        streamed = [job for job in jobs if job.by_stream]
        again = [job for job in listed if job.twice]
        await self._send(INBOX, [("RPUSH", INBOX, job.text) for job in (*listed, *again)])
        await self._send(JOBS, [("XADD", JOBS, "*", "job", job.text) for job in (*streamed, *streamed[:1])])
        for ref in self._to_cancel:
            await self._cancel(ref)
        self._to_cancel = [job.ref for job in jobs if job.ref and job.cancelled]

    async def _send(self, key: str, commands: Sequence[tuple[str, ...]]) -> None:
        """Push until Redis and its replicas have everything. After a failure everything is pushed again."""
        while commands:
            try:
                await self._try(key, commands)
            except (rx.RedisError, OSError, LookupError, TimeoutError):
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _try(self, key: str, commands: Sequence[tuple[str, ...]]) -> None:
        node = await asyncio.get_running_loop().run_in_executor(self._threads, self._deployment.primary_of, key)
        async with self.client(node.port).pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            if self._deployment.replicas:
                pipe.execute_command("WAIT", self._deployment.replicas, WAIT_MS)
            replies = await pipe.execute()
        if self._deployment.replicas and replies[-1] < self._deployment.replicas:
            raise TimeoutError("no replica has the jobs")

    async def _cancel(self, ref: JobRef) -> None:
        try:
            await self._queue.inspection.cancel(ref)
        except RedisUnavailable:
            return  # a cancellation that was not confirmed need not hold

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
