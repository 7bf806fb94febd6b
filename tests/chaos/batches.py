"""Batches of a run: opened before their first job, closed once all is quiet, and compared with the results."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from chaos.receiver import ChaosReceiver
from pageworker_supervisor.contract.batch import BatchRef, BatchSpec
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.batch_tables import NO_FAILURES, STATUSES
from pageworker_supervisor.queue.batches import Batches
from pageworker_supervisor.redis_client.errors import RedisClientError

T = TypeVar("T")
PAUSE_SECONDS = 0.1
FAILING = 4
"""One batch in this number is complete with its first failure."""


class ChaosBatches:
    """`jobs`: by batch, those that were pushed for it."""

    def __init__(self, batches: Batches, size: int, callback_url: str) -> None:
        self.jobs: dict[BatchRef, set[JobRef]] = {}
        self._batches = batches
        self._size = size
        self._url = callback_url

    def spec(self, ref: BatchRef) -> BatchSpec:
        """What this batch is opened with."""
        fails = int(ref.batch_id[1:]) % FAILING == FAILING - 1
        return BatchSpec(
            batch_id=ref.batch_id,
            size=self._size,
            callback_url=self._url,
            complete_on="first_failure" if fails else "all_ended",
        )

    async def add(self, ref: BatchRef, job: JobRef) -> None:
        """The job is about to be pushed. Its batch is opened first."""
        if ref not in self.jobs:
            await _insist(lambda: self._batches.open(ref.tenant_id, self.spec(ref)))
            self.jobs[ref] = set()
        self.jobs[ref].add(job)

    async def close(self) -> None:
        """No further job comes. Most batches have their size, and are closed."""
        for ref in self.jobs:
            await _insist(partial(self._batches.close, ref))

    async def wrong(self, results: Mapping[JobRef, Sequence[bytes]], receiver: ChaosReceiver) -> list[str]:
        """One line per batch whose counts are not those of its results, or that was not completed exactly once."""
        lines = []
        for ref, jobs in self.jobs.items():
            truth = Counter(json.loads(results[job][0])["status"] for job in jobs if results.get(job))
            view = await self._batches.show(ref)
            if view is None or view.state != "complete":
                lines.append(f"batch {ref} is not complete: {view}")
                continue
            counts = {status: view.counts[status] for status in STATUSES if view.counts[status]}
            if counts != truth or view.job_count != len(jobs):
                lines.append(f"batch {ref} counts {counts} of {view.job_count}, not {dict(truth)} of {len(jobs)}")
            told = [json.loads(body) for body in receiver.accepted[f"{ref.tenant_id}:batch:{ref.batch_id}"]]
            if len(told) != 1:
                lines.append(f"batch {ref} was told {len(told)} completions: {told}")
                continue
            fails = self.spec(ref).complete_on == "first_failure" and set(truth) - NO_FAILURES
            if told[0]["reason"] != ("first_failure" if fails else "all_ended"):
                lines.append(f"batch {ref} was completed by {told[0]['reason']}")
            if not fails and {name: number for name, number in told[0]["counts"].items() if number} != truth:
                lines.append(f"batch {ref} told {told[0]['counts']}, not {dict(truth)}")
        return lines


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await call()
        except RedisClientError:
            await asyncio.sleep(PAUSE_SECONDS)
