"""Which browser context a job needs, as far as that is known when the job is queued."""

import asyncio
import time

from msgspec import structs

from pageworker_sandbox.page_options import OptionRefused, combine
from pageworker_sandbox.signing import Manifest
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.contract.context_key import egress_digest
from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.telemetry import log

FETCH_SECONDS = 2.0
"""The first job of a release waits so long for its bundle, and the jobs behind it wait, too."""
BACKOFF_SECONDS = 10.0
"""After a failed or slow fetch: for so long jobs are queued without digests."""


async def unplaced(new_job: NewJob) -> NewJob:
    """Used where intake has no registry."""
    return new_job


class ModuleContext:
    """Digests of hosts and options, from the manifest of each release.

    A wrong digest does no harm: the worker that runs the job checks it again and reassigns the job. With the right
    digest the job shares a warm runner at once.
    """

    def __init__(self, registry: Registry, profiles: ProfilePages) -> None:
        self._registry = registry
        self._profiles = profiles
        self._manifests: dict[str, Manifest] = {}
        self._backoff_until = 0.0

    async def placed(self, new_job: NewJob) -> NewJob:
        """The job with the digests of the release that it would run now; without them where the release cannot be had
        within FETCH_SECONDS."""
        manifest = await self._manifest(*new_job.module)
        if manifest is None:
            return new_job
        of_profile = self._profiles.options(new_job.tenant_id, new_job.profile_id)
        try:
            options = combine(manifest.page, manifest.job_may_set, of_profile, new_job.page)
        except OptionRefused:
            # The worker that runs the job rejects it.
            return new_job
        return structs.replace(new_job, egress=egress_digest(manifest.egress), options=options.digest)

    async def _manifest(self, name: str, pin: str | None) -> Manifest | None:
        try:
            release = self._registry.resolve(name, pin)
            known = self._manifests.get(release.sha256)
            if known is None:
                if time.monotonic() < self._backoff_until:
                    return None
                async with asyncio.timeout(FETCH_SECONDS):
                    bundle = await self._registry.bundle(release)
                known = self._manifests[release.sha256] = bundle.manifest
        except ModuleError as wrong:
            if wrong.retryable:
                self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        except TimeoutError:
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        except OSError as failed:
            # The worker has no descriptors, memory or disk left. The job is queued all the same.
            log.warning("module's hosts not known now", module=name, reason=failed.strerror or str(failed))
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return None
        return known
