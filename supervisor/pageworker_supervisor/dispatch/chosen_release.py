"""The release that an attempt runs: chosen anew for each attempt, and the same as before where that is possible."""

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.outcome import last_version
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.registry import Registry, Release
from pageworker_supervisor.registry.errors import ModuleUnknown


async def chosen_release(registry: Registry, job: Job, lease: Lease, claimed_at: float) -> Release:
    """Raises ModuleError. `claimed_at`: on the monotonic clock."""
    wanted = (job.module_name, job.module_pin, job.ref, last_version(job, lease))
    try:
        return registry.resolve(*wanted)
    except ModuleUnknown:
        # It may have been published after this worker last looked.
        await registry.look_again(claimed_at - lease.total_seconds)
        return registry.resolve(*wanted)
