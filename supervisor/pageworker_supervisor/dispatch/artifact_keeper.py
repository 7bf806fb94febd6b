"""Stores the artifacts of an attempt while it runs.

The runner offers an artifact, waits for a grant, and hands it over. Until then the bytes are in the runner's own
memory, which has a limit: the supervisor grants only what it has space for.
"""

import asyncio
from typing import TYPE_CHECKING

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.artifacts.errors import ArtifactError
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.dispatch.attempt_spans import step
from pageworker_supervisor.runners.page_reservation import ArtifactHandover, PageReservation
from pageworker_supervisor.secrets.artifact_masking import masked_artifact

if TYPE_CHECKING:
    from loguru import Logger

    from pageworker_supervisor.tracing.job_trace import AttemptTrace

NOTE_TYPE = "text/plain; charset=utf-8"
HANDOVER_SECONDS = 10.0
"""How long a runner may take to hand over a granted artifact."""


async def keep_artifacts(
    page: PageReservation,
    ref: JobRef,
    attempt: int,
    store: ArtifactStore,
    log: "Logger",
    trace: "AttemptTrace | None" = None,
) -> None:
    """Store artifacts in `page.artifacts` until the attempt has ended. One that cannot be stored is left out."""
    try:
        while (offer := await page.next_offer()) is not None:
            with store.pending_bytes.claim(ref.tenant_id, max(1, offer.bytes)) as claim:
                claim.granted.add_done_callback(lambda _: page.changed.set())
                await page.until(lambda: claim.granted.done() or not page.is_open(offer))
                if page.is_open(offer):
                    handover = await _handed_over(page, offer, log)
                    if handover is not None:
                        with step(trace, "artifact upload"):
                            await _put(handover, page, ref, attempt, store, log)
    finally:
        page.discard()


async def _handed_over(page: PageReservation, offer: m.Offer, log: "Logger") -> ArtifactHandover | None:
    await page.runner.grant(page, offer)
    try:
        async with asyncio.timeout(HANDOVER_SECONDS):
            await page.until(lambda: page.delivery is not None or not page.is_open(offer))
    except TimeoutError:
        log.warning("artifact not handed over in time", bytes=offer.bytes)
    return page.take_delivery()


async def _put(
    handover: ArtifactHandover, page: PageReservation, ref: JobRef, attempt: int, store: ArtifactStore, log: "Logger"
) -> None:
    try:
        untrusted_data = await store.read(handover.descriptor)
        kind, content_type = handover.kind, handover.content_type
        if page.masker:
            untrusted_data, why_not = await masked_artifact(untrusted_data, page.masker)
            if why_not is not None:
                log.warning("artifact replaced by a note: secrets cannot be masked in it", kind=kind, reason=why_not)
                content_type = NOTE_TYPE
        page.artifacts.append(await store.put(ref, attempt, kind, content_type, untrusted_data))
    except ArtifactError as failed:
        log.error("artifact not stored", kind=handover.kind, reason=str(failed))
    finally:
        handover.close()
