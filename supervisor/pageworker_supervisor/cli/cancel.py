"""`workerctl cancel`: cancels one job, over Redis."""

import asyncio

from pageworker_supervisor.cli.answers import CancelOutcome, CancelWord
from pageworker_supervisor.cli.audited import Reason, audited
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandExit, Json, show
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.views import CancelReply


def cancel(job: str, *, reason: Reason = None, config: Config = None, json: Json = False) -> CommandExit:
    """Cancel one job that has not ended.

    The answer is one of four words. `cancelled`: the job waited, and does not run. `cancelling`: a worker has claimed
    the job, and stops it; or the queue does not know the job yet. The queue remembers the cancellation of an unknown
    job for `jobs.cancel_memory_seconds`. If the job comes within that time, it ends as `cancelled` without running.
    `finished`: too late, the job has ended, or only its result is left to be written. `unknown`: the queue does not
    know the job, and can remember no more cancellations.

    The exit code is 0 for `cancelled` and `cancelling`, else 1. The command needs Redis, but no worker on this host.
    `workerctl jobs cancel` cancels many jobs. Example: `workerctl cancel acme/17`.

    Parameters
    ----------
    job
        Name of the job, TENANT/ID.
    """
    answer = asyncio.run(_cancel(config, job_named(job), reason))
    unseen = (
        " (the queue does not know this job; if it comes, it is cancelled)" if answer.outcome == "cancelling" else ""
    )
    show(answer, f"{answer.ref}: {answer.outcome}{'' if answer.known else unseen}", json)
    return CommandExit.DONE if answer.outcome in ("cancelled", "cancelling") else CommandExit.FAILED


def word_of(reply: CancelReply) -> CancelWord:
    """The word for people: a cancellation that waits for its job is under way."""
    return "cancelling" if reply == "awaited" else reply


async def _cancel(config: Config, ref: JobRef, reason: str | None) -> CancelOutcome:
    async with (
        open_queue(config) as opened,
        audited(opened.queue, opened.settings, "cancel", str(ref), reason) as action,
    ):
        reply = await opened.queue.inspection.cancel(ref)
        action.outcome = word_of(reply)
    return CancelOutcome(ref.job_id, ref.tenant_id, word_of(reply), known=reply not in ("awaited", "unknown"))
