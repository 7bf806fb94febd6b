"""Reads the name of a batch, `TENANT/BATCH`, from the command line, and which jobs it has."""

from pageworker_supervisor.cli.connect import OpenQueue
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.batch import BatchRef
from pageworker_supervisor.contract.job import JobRef, JobRefInvalid


def batch_named(text: str) -> BatchRef:
    """Parse `TENANT/BATCH`. Raises CommandError with an example if the text names no batch."""
    try:
        return BatchRef.parse(text)
    except JobRefInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid


def no_batch(ref: BatchRef) -> CommandError:
    """The batch is not known."""
    mend = f"`workerctl batch list --tenant {ref.tenant_id}` lists those that are kept."
    return CommandError(f"there is no batch {ref}", mend)


async def members_of(opened: OpenQueue, name: str | None) -> frozenset[JobRef] | None:
    """The jobs of the batch that a filter names; None without a name. Raises CommandError, RedisClientError."""
    if name is None:
        return None
    ref = batch_named(name)
    if await opened.queue.batches.show(ref) is None:
        raise no_batch(ref)
    found: set[JobRef] = set()
    after: int | None = 0
    while after is not None:
        page = await opened.queue.batches.jobs(ref, after)
        found |= {JobRef(ref.tenant_id, job.job_id) for job in page.jobs}
        after = page.after
    return frozenset(found)
