"""Queues jobs for a caller that waits for the answer: the HTTP API.

The checks are those of a push, and so is the call of the queue. Three things differ. A text that is no valid job leaves
nothing in Redis: the caller has the reason. A text is read to the letter. A failure of Redis is raised: the caller
tries again, and the queue recognises each job by its id.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.intake.admission import Admission, RejectedText
from pageworker_supervisor.intake.enqueuer import PARSED_PER_TURN_BYTES, AddContext, without_context
from pageworker_supervisor.queue.producer import Enqueued, JobProducer, NewJob


class SubmittedJob(Struct, frozen=True):
    """A valid job. `known`: the queue had a job with its id before, which waits, runs or has ended."""

    job: NewJob
    outcome: Literal["queued", "known"]


class JobSubmission:
    """Checks texts and stores the valid ones."""

    def __init__(self, producer: JobProducer, admission: Admission, with_context: AddContext = without_context) -> None:
        self._producer = producer
        self._admission = admission
        self._with_context = with_context

    def use(self, admission: Admission) -> None:
        """Decide with this from the next call on."""
        self._admission = admission

    def callback_refusal(self, url: str, tenant_id: str) -> tuple[str, str, str] | None:
        """As Admission.callback_refusal, with the settings of now."""
        return self._admission.callback_refusal(url, tenant_id)

    async def submit(self, untrusted_texts: Sequence[bytes]) -> list[SubmittedJob | RejectedText]:
        """What became of each text, in their order. Raises RedisClientError: then some jobs may be queued.

        A job that the queue does not take is a RejectedText of type `queue_full`, `batch_unknown`, `batch_closed` or
        `batch_full`.
        """
        admission, parsed_bytes = self._admission, 0
        decisions: list[NewJob | RejectedText] = []
        for text in untrusted_texts:
            decision = admission.decide_one(text)
            decisions.append(await self._with_context(decision) if isinstance(decision, NewJob) else decision)
            parsed_bytes += len(text)
            if parsed_bytes > PARSED_PER_TURN_BYTES:
                parsed_bytes = 0
                await asyncio.sleep(0)
        new_jobs = [decision for decision in decisions if isinstance(decision, NewJob)]
        replies = iter(await self._producer.enqueue(new_jobs, secrets.token_hex(4)) if new_jobs else ())
        return [
            decision if isinstance(decision, RejectedText) else _outcome(admission, decision, next(replies))
            for decision in decisions
        ]


def _outcome(admission: Admission, new_job: NewJob, reply: Enqueued) -> SubmittedJob | RejectedText:
    return admission.refused(new_job, reply) or SubmittedJob(new_job, "queued" if reply == "queued" else "known")
