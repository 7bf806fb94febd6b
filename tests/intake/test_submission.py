"""Jobs that are queued for a caller that waits: what is stored, and what is not."""

import json

import msgspec
from pw_intake import ADMISSION, job
from pw_queue.harness import open_harness
from pw_servers import RedisServer

from pageworker_supervisor.intake.admission import RejectedText
from pageworker_supervisor.intake.submission import JobSubmission, SubmittedJob
from pageworker_supervisor.queue.producer import NewJob


async def hosts(new_job: NewJob) -> NewJob:
    return msgspec.structs.replace(new_job, egress="e" * 8)


async def test_each_text_has_its_outcome_in_order(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port) as queue:
        submission = JobSubmission(queue.producer, ADMISSION, hosts)
        texts = [job(1), b"{}", job(2), job(1), b'"' + job(3).replace(b'"', b'\\"') + b'"']
        outcomes = await submission.submit(texts)
        told = [each.outcome if isinstance(each, SubmittedJob) else each.type for each in outcomes]
        assert told == ["queued", "missing_field", "queued", "known", "invalid_json"]
        assert [lease.context.egress for lease in await queue.take()] == ["e" * 8] * 2
        assert (await queue.dead_letters.page()).letters == (), "the caller has the reason"


async def test_nothing_is_sent_without_a_valid_job(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port) as queue:
        submission = JobSubmission(queue.producer, ADMISSION)
        assert await submission.submit([]) == []
        (rejected,) = await submission.submit([b"[]"])
        assert isinstance(rejected, RejectedText)
        assert await queue.take() == []


async def test_a_rejection_names_the_field_and_how_to_fix_it(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port) as queue:
        text = json.dumps({**json.loads(job(1)), "paylod": {}}).encode()
        (rejected,) = await JobSubmission(queue.producer, ADMISSION).submit([text])
        assert isinstance(rejected, RejectedText)
        assert (rejected.type, rejected.field, rejected.hint) == ("unknown_field", "paylod", "did you mean `payload`?")
