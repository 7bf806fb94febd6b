"""What is kept of a page whose attempt did not succeed: a screenshot and the HTML."""

import asyncio
from contextlib import suppress

from pageworker.well_formed import well_formed
from pageworker_runner.attempts.running_attempt import RunningAttempt
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.capture import last_sight
from pageworker_runner.pages.slot import WarmPage
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES


async def keep(warm: WarmPage, attempt: RunningAttempt, seconds: float) -> None:
    """Send both, as far as the page answers within `seconds`. Raises nothing."""
    # A supervisor that does not accept an artifact in time costs the artifact, not the result.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + LIMITS.handover_seconds):
            with own_work():
                shot, html = await last_sight(warm, seconds)
            for kind, data, content_type in (
                ("screenshot", shot, "image/jpeg"),
                ("html", None if html is None else well_formed(html).encode(), "text/html; charset=utf-8"),
            ):
                if data is not None and len(data) <= MAX_ARTIFACT_BYTES:
                    await attempt.send(kind, data, content_type)
