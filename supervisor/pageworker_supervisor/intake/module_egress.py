"""The hosts that a job's module may reach, as far as they are known when the job is queued."""

import asyncio
import time

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.telemetry import log

FETCH_SECONDS = 2.0
"""The first job of a release waits so long for its bundle, and the jobs behind it wait, too."""
BACKOFF_SECONDS = 10.0
"""After a failed or slow fetch: for so long jobs are queued without a digest."""


async def no_egress(name: str, pin: str | None) -> str:
    """Used where intake has no registry."""
    return NO_EGRESS


class ModuleEgress:
    """Digests of the allowed hosts, by release.

    A wrong digest does no harm: the worker that runs the job checks it again and reassigns the job. With the right
    digest the job shares a warm runner at once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, str] = {}
        self._backoff_until = 0.0

    async def digest(self, name: str, pin: str | None) -> str:
        """The digest of the release that a job would run now; NO_EGRESS where it cannot be had within FETCH_SECONDS."""
        try:
            release = self._registry.resolve(name, pin)
            known = self._known.get(release.sha256)
            if known is None:
                if time.monotonic() < self._backoff_until:
                    return NO_EGRESS
                async with asyncio.timeout(FETCH_SECONDS):
                    bundle = await self._registry.bundle(release)
                known = self._known[release.sha256] = egress_digest(bundle.manifest.egress)
        except ModuleError as wrong:
            if wrong.retryable:
                self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return NO_EGRESS
        except TimeoutError:
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return NO_EGRESS
        except OSError as failed:
            # The worker has no descriptors, memory or disk left. The job is queued all the same.
            log.warning("module's hosts not known now", module=name, reason=failed.strerror or str(failed))
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return NO_EGRESS
        return known
