"""Which hosts a job's module may reach, as far as that is known when the job is queued."""

import asyncio
import time

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError

FETCH_SECONDS = 2.0
"""So long the first job of a release waits for its bundle, and those behind it too."""
REST_SECONDS = 10.0
"""After a fetch that failed, or took longer: jobs are queued without."""


async def no_egress(name: str, pin: str | None) -> str:
    """For an intake without a registry."""
    return NO_EGRESS


class ModuleEgress:
    """Digests by release. Nothing depends on their being right: who runs a job looks again, and moves it if need be.

    A job that is queued with the right one shares a warm runner at once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, str] = {}
        self._rest_until = 0.0

    async def digest(self, name: str, pin: str | None) -> str:
        """Of the release that a job means now; NO_EGRESS where it is unknown, or not to be had within a moment."""
        try:
            release = self._registry.resolve(name, pin)
            known = self._known.get(release.sha256)
            if known is None:
                if time.monotonic() < self._rest_until:
                    return NO_EGRESS
                async with asyncio.timeout(FETCH_SECONDS):
                    bundle = await self._registry.bundle(release)
                known = self._known[release.sha256] = egress_digest(bundle.manifest.egress)
        except ModuleError as wrong:
            if wrong.retryable:
                self._rest_until = time.monotonic() + REST_SECONDS
            return NO_EGRESS
        except TimeoutError:
            self._rest_until = time.monotonic() + REST_SECONDS
            return NO_EGRESS
        return known
