"""Stores what an attempt leaves while it still runs: bytes come into the supervisor only when there is room for them.

The runner offers, waits for its grant, and hands over: until then the bytes are in its own memory, which has a limit.
"""

import asyncio

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.artifacts.errors import ArtifactError
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.dispatch.claimed_job import ClaimedJob
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.running_attempt import ArtifactHandover, SentAttempt

DELIVERY_SECONDS = 10.0
"""A runner that was granted room and does not use it within so long loses it."""


class ArtifactKeeper:
    """One attempt's. `stored` grows while `run` runs."""

    def __init__(self, case: ClaimedJob, runner: Runner, running: SentAttempt, store: ArtifactStore) -> None:
        self.stored: list[ArtifactRecord] = []
        self._case = case
        self._runner = runner
        self._running = running
        self._store = store

    async def run(self) -> None:
        """Until the attempt has ended and what it had handed over is stored. A store that fails costs the artifact."""
        running = self._running
        try:
            while (offer := await running.next_offer()) is not None:
                with self._store.pending_bytes.claim(self._case.job.tenant_id, max(1, offer.bytes)) as claim:
                    claim.granted.add_done_callback(lambda _: running.news.set())
                    await running.until(lambda: claim.granted.done() or not running.is_open(offer))
                    if running.is_open(offer):
                        await self._take(offer)
        finally:
            running.discard()

    async def _take(self, offer: m.Offer) -> None:
        await self._runner.grant(self._running, offer)
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._running.until(
                    lambda: self._running.delivery is not None or not self._running.is_open(offer)
                )
        except TimeoutError:
            self._case.log.warning("artifact not handed over in time", bytes=offer.bytes)
        delivery = self._running.take_delivery()
        if delivery is not None:
            await self._put(delivery)

    async def _put(self, delivery: ArtifactHandover) -> None:
        job, attempt = self._case.job, self._case.lease.attempt
        try:
            untrusted_data = await self._store.read(delivery.descriptor)
            self.stored.append(
                await self._store.put(job.ref, attempt, delivery.kind, delivery.content_type, untrusted_data)
            )
        except ArtifactError as failed:
            self._case.log.error("artifact not stored", kind=delivery.kind, reason=str(failed))
        finally:
            delivery.close()
