"""`workerctl batch open`."""

import asyncio

from pageworker_supervisor.cli.audited import Reason, audited
from pageworker_supervisor.cli.batch_name import batch_named
from pageworker_supervisor.cli.batch_show import text_of
from pageworker_supervisor.cli.config_change import settings_in_effect
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.duration import seconds_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.contract.batch import DEADLINE_SECONDS, BatchRef, BatchSpec, CompleteOn, parse_batch
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.intake import Admission
from pageworker_supervisor.queue.batches import BatchView

REFUSED = {
    "exists": ("was opened before, with other parameters", "Choose another id, or repeat the parameters."),
    "full": ("cannot be opened: its tenant has too many", "Complete ones go after `results.ttl_seconds`."),
}


def open_batch(
    batch: str,
    *,
    size: int | None = None,
    callback_url: str | None = None,
    complete_on: CompleteOn = "all_ended",
    deadline: str | None = None,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Open a batch: jobs with its id are answered once as a whole.

    Without --size it is open until `workerctl batch close`. The same command again changes nothing. The exit code is 4
    if there is a batch of this name with other parameters, or if its tenant has too many batches. The command needs
    Redis, but no worker. Example: `workerctl batch open acme/nightly --size 1000`.

    Parameters
    ----------
    batch
        Name of the batch, TENANT/BATCH.
    size
        How many jobs the batch has. The last of them closes it.
    callback_url
        Where its completion is POSTed. The tenant's `callback_allow` has to cover it.
    complete_on
        What completes it: the end of all jobs, or the first failure.
    deadline
        After which time it is complete in any case, e.g. 90m or 2d. Default: 7d.
    """
    ref = batch_named(batch)
    fields = {
        "batch_id": ref.batch_id,
        "size": size,
        "callback_url": callback_url,
        "complete_on": complete_on,
        "deadline_seconds": DEADLINE_SECONDS if deadline is None else seconds_of(deadline, "--deadline"),
    }
    try:
        spec = parse_batch(fields)
    except ContractError as broken:
        raise CommandError(str(broken), exit_code=CommandExit.USAGE) from broken
    view = asyncio.run(_open(config, ref, spec, reason))
    show(view, text_of(view), json)
    return CommandExit.DONE


async def _open(config: Config, ref: BatchRef, spec: BatchSpec, reason: str | None) -> BatchView:
    async with open_queue(config) as (_, queue, local):
        settings = await settings_in_effect(config, queue, local)
        if spec.callback_url is not None:
            refused = Admission.of(settings).callback_refusal(spec.callback_url, ref.tenant_id)
            if refused is not None:
                raise CommandError(f"--callback-url {refused[1]}", refused[2], CommandExit.REFUSED)
        async with audited(queue, local, "batch open", str(ref), reason) as action:
            opened = await queue.batches.open(ref.tenant_id, spec)
            action.outcome = opened
        if opened in REFUSED:
            why, mend = REFUSED[opened]
            raise CommandError(f"batch {ref} {why}", mend, CommandExit.REFUSED)
        view = await queue.batches.show(ref)
    if view is None:
        raise CommandError(f"batch {ref} has gone meanwhile")
    return view
