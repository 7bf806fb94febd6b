"""Why the queue did not take a valid job, in words for its sender. Pure."""

from msgspec import Struct

from pageworker_supervisor.queue.producer import Enqueued, NewJob


class QueueRefusal(Struct, frozen=True):
    """The error of the rejection. `retryable`: the same text may be taken later. `counts`: it is a job of its batch,
    and was rejected."""

    type: str
    field: str
    rule: str
    hint: str
    retryable: bool
    counts: bool = False


def refusal_of(new_job: NewJob, reply: Enqueued) -> QueueRefusal | None:
    """None: the queue took it, or knows it."""
    batch = f"batch {new_job.batch_id} of tenant {new_job.tenant_id}"
    match reply:
        case "full":
            cap = new_job.backlog_cap
            rule = f"tenant {new_job.tenant_id} has as many jobs as it may have: {cap.jobs} jobs or {cap.bytes} bytes"
            hint = "push the job again when others have ended, or raise backlog_jobs and backlog_bytes in [tenants]"
            return QueueRefusal("queue_full", "", rule, hint, retryable=True, counts=True)
        case "batch_unknown":
            rule, hint = f"{batch} was not opened, or is not kept any more", "open it first: POST /v1/batches"
            return QueueRefusal(reply, "batch_id", rule, hint, retryable=True)
        case "batch_closed":
            rule, hint = f"{batch} is closed", "open another batch, or leave batch_id out"
            return QueueRefusal(reply, "batch_id", rule, hint, retryable=False)
        case "batch_full":
            rule, hint = f"{batch} has as many jobs as it may have", "open another batch, or leave batch_id out"
            return QueueRefusal(reply, "batch_id", rule, hint, retryable=False)
        case _:
            return None
