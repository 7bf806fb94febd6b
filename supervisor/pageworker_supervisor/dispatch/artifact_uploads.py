"""Takes the artifacts of an attempt from its runner and stores them, several at once, beside the handler.

The runner offers an artifact, waits for a grant, and hands it over. Until then the bytes are in the runner's own
memory, which has a limit: the supervisor grants only what it has space for. The handler does not wait for the store.
Once it has ended, its page is free, whatever is left to be stored.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import structs

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.artifacts.errors import ArtifactError, ArtifactFailure
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import ArtifactRecord, LostArtifact
from pageworker_supervisor.dispatch.attempt_spans import step
from pageworker_supervisor.runners.artifact_handover import ArtifactHandover
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.secrets.artifact_masking import masked_artifact

if TYPE_CHECKING:
    from loguru import Logger

    from pageworker_supervisor.tracing.job_trace import AttemptTrace

NOTE_TYPE = "text/plain; charset=utf-8"
HANDOVER_SECONDS = 10.0
"""How long a runner may take to hand over a granted artifact."""
SLOW_SECONDS = 0.1
"""How long artifacts may take after the handler, before they cost a further call to Redis."""
UPLOADS_AT_ONCE = 4
"""Artifacts of one attempt that are masked and stored at the same time."""
LEAST_CLAIM_BYTES = 64 * 1024
"""What an artifact counts at least among those that wait. It bounds their number."""

Upload = asyncio.Task[ArtifactRecord | LostArtifact]


class ArtifactUploads:
    """The artifacts of one attempt. Use it as a `with` block, whose end gives up what is not stored.

    `page.artifacts` and `page.artifacts_lost` say how each went, in the order in which the runner handed them over.
    """

    def __init__(
        self,
        page: PageReservation,
        ref: JobRef,
        attempt: int,
        store: ArtifactStore,
        log: "Logger",
        trace: "AttemptTrace | None" = None,
    ) -> None:
        self._page = page
        self._ref = ref
        self._attempt = attempt
        self._store = store
        self._log = log
        self._trace = trace
        self._at_once = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._uploads: list[tuple[ArtifactHandover, Upload]] = []
        """In the order of the handovers. One that is cancelled was given up."""
        self._given_up = ""
        self.storing = False
        """Whether the handler has ended, and only these artifacts are waited for."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._page.discard()
        left = [upload for _, upload in self._uploads if not upload.done()]
        for upload in left:
            upload.cancel()
        if left:
            await asyncio.wait(left)

    async def accept(self) -> None:
        """Take what the runner offers until the attempt has ended."""
        page = self._page
        try:
            while (offer := await page.next_offer()) is not None:
                with ExitStack() as held:
                    size = max(LEAST_CLAIM_BYTES, offer.bytes)
                    claim = held.enter_context(self._store.pending_bytes.claim(self._ref.tenant_id, size))
                    claim.granted.add_done_callback(lambda _: page.changed.set())
                    await page.until(lambda: claim.granted.done() or not page.is_open(offer))  # noqa: B023 - awaited
                    if page.is_open(offer) and (handover := await self._handed_over(offer)) is not None:
                        held.callback(handover.close)
                        self._start(handover, held.pop_all())
        finally:
            page.discard()

    async def stored(self, on_slow: Callable[[], Awaitable[None]]) -> None:
        """Return when each artifact is stored or lost, and write down how each went. No other can come any more.

        `on_slow` is called once if that takes longer than SLOW_SECONDS. Raises what an upload met that is no failure of
        the store: a bug.
        """
        self.storing = True
        uploads = [upload for _, upload in self._uploads]
        if uploads and (await asyncio.wait(uploads, timeout=SLOW_SECONDS))[1]:
            await on_slow()
            await asyncio.wait(uploads)
        results = [
            _lost(handover, "drained", self._given_up) if upload.cancelled() else upload.result()
            for handover, upload in self._uploads
        ]
        self._page.artifacts = [each for each in results if isinstance(each, ArtifactRecord)]
        self._page.artifacts_lost = [each for each in results if isinstance(each, LostArtifact)]

    def give_up(self, reason: str) -> None:
        """What is not stored yet is lost as `drained`: the job cannot wait for it."""
        self._given_up = reason
        for _, upload in self._uploads:
            upload.cancel()

    def _start(self, handover: ArtifactHandover, held: ExitStack) -> None:
        upload = asyncio.get_running_loop().create_task(self._upload(handover))
        # A task that is cancelled before its first step runs no code of its own.
        upload.add_done_callback(lambda _: held.close())
        self._uploads.append((handover, upload))

    async def _handed_over(self, offer: m.Offer) -> ArtifactHandover | None:
        page = self._page
        await page.runner.grant(page, offer)
        try:
            async with asyncio.timeout(HANDOVER_SECONDS):
                await page.until(lambda: page.delivery is not None or not page.is_open(offer))
        except TimeoutError:
            self._log.warning("artifact not handed over in time", bytes=offer.bytes)
        return page.take_delivery()

    async def _upload(self, handover: ArtifactHandover) -> ArtifactRecord | LostArtifact:
        try:
            with step(self._trace, "artifact upload"):
                untrusted_data = await self._store.read(handover.descriptor)
                handover.close()
                async with self._at_once:
                    return await self._store_masked(untrusted_data, handover)
        except ArtifactError as failed:
            type_, reason = failed.type, str(failed)
        except OSError as failed:  # the supervisor has no memory or process left
            type_, reason = "unavailable", failed.strerror or type(failed).__name__
        self._log.error("artifact not stored", kind=handover.kind, reason=reason)
        return _lost(handover, type_, reason)

    async def _store_masked(self, untrusted_data: bytes, handover: ArtifactHandover) -> ArtifactRecord:
        kind, content_type = handover.kind, handover.content_type
        if self._page.masker:
            untrusted_data, why_not = await masked_artifact(untrusted_data, self._page.masker)
            if why_not is not None:
                text = "artifact replaced by a note: secrets cannot be masked in it"
                self._log.warning(text, kind=kind, reason=why_not)
                content_type = NOTE_TYPE
        stored = await self._store.put(self._ref, self._attempt, kind, content_type, untrusted_data)
        page_url = handover.page_url and self._page.masker.text(handover.page_url)
        return structs.replace(stored, page_url=page_url, page_status=handover.page_status)


def _lost(handover: ArtifactHandover, type_: ArtifactFailure, reason: str) -> LostArtifact:
    return LostArtifact(kind=handover.kind, type=type_, message=reason, bytes=handover.bytes)
