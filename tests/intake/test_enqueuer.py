"""From texts to the queue: order, rejections, waits, and readings that may be repetitions."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec import structs
from pw_intake import ADMISSION, job

from pageworker_supervisor.intake.admission import Admission, RejectedText, missing_field
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.enqueuer import Enqueuer
from pageworker_supervisor.queue.producer import JobProducer, NewJob
from pageworker_supervisor.redis_client import Availability
from pageworker_supervisor.redis_client.errors import OutOfMemory
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics


class RecordingQueue:
    """Keeps what it is given; refuses the first `failures` calls."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.queued: list[NewJob] = []
        self.readings: list[str] = []
        self.rejected: list[tuple[Any, ...]] = []

    async def enqueue(self, new_jobs: Sequence[NewJob], reading: str = "") -> None:
        if self.failures:
            self.failures -= 1
            raise OutOfMemory("full")
        self.queued += new_jobs
        self.readings.append(reading)

    async def reject(self, *arguments: Any) -> None:
        self.rejected.append(arguments)


async def probe() -> None:
    """Redis always answers."""


async def placed(new_job: NewJob) -> NewJob:
    return structs.replace(new_job, egress=f"hosts-of-{new_job.module[0]}")


def enqueuer(queue: RecordingQueue, metrics: Metrics | None = None) -> Enqueuer:
    return Enqueuer(cast("JobProducer", queue), Availability(probe), ADMISSION, metrics or Metrics(), placed)


def arrivals(count: int) -> list[Arrival]:
    return [Arrival(job(number), waited_ms=1000 * number) for number in range(count)]


async def test_jobs_are_queued_in_their_order_with_wait_and_egress() -> None:
    queue = RecordingQueue()
    await enqueuer(queue).admit(arrivals(3))
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0", "acme-1", "acme-2"]
    assert [new_job.waited_ms // 1000 for new_job in queue.queued] == [0, 1, 2]
    assert {new_job.egress for new_job in queue.queued} == {"hosts-of-echo"}


async def test_texts_that_are_no_jobs_are_rejected_and_counted() -> None:
    queue, metrics = RecordingQueue(), Metrics()
    await enqueuer(queue, metrics).admit([Arrival(b"no job"), *arrivals(1)], [missing_field(b'{"x": 1}')])
    assert [arguments[0] for arguments in queue.rejected] == [b'{"x": 1}', b"no job"]
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0"]
    assert metrics.totals()["intake_rejections"] == 2


async def test_a_text_that_cannot_be_checked_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(admission: Admission, untrusted_text: bytes) -> NewJob | RejectedText:
        if untrusted_text == b"strange":
            raise RecursionError("a bug")
        return checked(admission, untrusted_text)

    checked = Admission.decide
    monkeypatch.setattr(Admission, "decide", decide)
    lines: list[str] = []
    handler = log.add(lines.append, format="{level} {message}")
    queue, metrics = RecordingQueue(), Metrics()
    try:
        await enqueuer(queue, metrics).admit([Arrival(b"strange"), *arrivals(1)])
    finally:
        log.remove(handler)
    assert [arguments[0] for arguments in queue.rejected] == [b"strange"]
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0"]
    assert metrics.totals()["intake_rejections"] == 1
    (line,) = [line for line in lines if line.startswith("ERROR a text could not be checked")]
    assert "RecursionError: a bug" in line


async def test_a_first_reading_has_a_name_and_a_repeated_one_has_none() -> None:
    queue = RecordingQueue()
    await enqueuer(queue).admit(arrivals(1))
    await enqueuer(queue).admit(arrivals(1))
    await enqueuer(queue).admit(arrivals(1), repeated=True)
    first, second, repeated = queue.readings
    assert first
    assert second
    assert first != second
    assert repeated == ""


async def test_nothing_to_admit_is_no_call() -> None:
    queue = RecordingQueue()
    await enqueuer(queue).admit([])
    assert queue.readings == []


async def test_a_refused_call_is_repeated_and_its_time_counts_as_waiting() -> None:
    queue = RecordingQueue(failures=2)
    await enqueuer(queue).admit(arrivals(1))
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0"]
    assert queue.queued[0].waited_ms >= 0
