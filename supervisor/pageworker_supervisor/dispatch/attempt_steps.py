"""The step logs of a job's attempts in its result. The queue keeps those of past attempts in their records. Pure."""

from collections.abc import Iterator

import msgspec
from msgspec import structs

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import AttemptRecord, StepRecord
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.runners.step_log import newest_within

PAST_STEPS = 20
PAST_BYTES = 4096
"""Of JSON, for the steps of one past attempt: they are in the job's record until it ends."""


class PastAttempt(AttemptRecord, frozen=True, kw_only=True, omit_defaults=True):
    """The record of a past attempt as the queue keeps it."""

    steps: tuple[StepRecord, ...] = ()


class _Steps(msgspec.Struct, frozen=True):
    steps: tuple[StepRecord, ...] = ()


_decoder = msgspec.json.Decoder(_Steps)


def past_attempt(record: AttemptRecord, steps: tuple[StepRecord, ...]) -> bytes:
    """JSON of an attempt that ended, with its newest steps."""
    kept = newest_within(steps, PAST_STEPS, PAST_BYTES)
    return msgspec.json.encode(PastAttempt(**structs.asdict(record), steps=kept))


def result_steps(job: Job, lease: Lease, last: tuple[StepRecord, ...]) -> tuple[StepRecord, ...]:
    """The newest steps of all attempts. `last`: those of the attempt that has just ended."""
    return newest_within((*_past_steps(job, lease), *_of(job.retry_count + len(lease.attempts) + 1, last)))


def _past_steps(job: Job, lease: Lease) -> Iterator[StepRecord]:
    for number, record in enumerate(lease.attempts, job.retry_count + 1):
        yield from _of(number, _decoder.decode(record).steps)


def _of(attempt: int, steps: tuple[StepRecord, ...]) -> Iterator[StepRecord]:
    return (structs.replace(step, attempt=attempt) for step in steps)
