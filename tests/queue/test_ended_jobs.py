"""Ended jobs are listed newest first, page by page, and each page looks at a bounded number of results."""

import msgspec
import pytest
from pw_queue import JobEnd, QueueHarness, open_harness, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.ended_jobs import CALLS_PER_PAGE, ENTRIES_PER_CALL, ended_job


def result(job_id: str, tenant: str, status: str = "succeeded") -> bytes:
    return msgspec.json.encode({"job_id": job_id, "tenant_id": tenant, "status": status, "data": {"a": [1]}})


async def end(harness: QueueHarness, tenant: str, *names: str, status: str = "succeeded") -> None:
    await harness.producer.enqueue([ticket(name, tenant) for name in names])
    for lease in await harness.take():
        text = result(lease.ref.job_id, tenant, status)
        assert await harness.consumer.finish(lease, **JobEnd(status=status, result=text))


async def test_pages_are_complete_and_filtered(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, shards=3) as harness:
        ended = harness.queue.ended_jobs
        assert (await ended.page(5)).cursor is None
        for tenant in ("acme", "beta", "gamma"):
            await end(harness, tenant, "j1", "j2", "j3")
        await end(harness, "acme", "bad", status="failed")
        seen, cursor = [], None
        while True:
            page = await ended.page(2, cursor)
            seen += [str(job.ref) for job in page.jobs]
            if (cursor := page.cursor) is None:
                break
        assert len(seen) == len(set(seen)) == 10
        mine = (await ended.page(50, tenant_id="acme")).jobs
        assert mine[0].ref.job_id == "bad"
        assert {job.ref.tenant_id for job in mine} == {"acme"}
        assert [job.ref for job in (await ended.page(50, tenant_id="acme", status="failed")).jobs] == [ref("bad")]
        for cursor in ("3:", "x", "0:1", "0:-1-1", "-1:"):
            with pytest.raises(ValueError, match="not a cursor"):
                await ended.page(5, cursor)


async def test_a_page_of_a_tenant_with_few_jobs_ends_and_goes_on(harness: QueueHarness) -> None:
    await end(harness, "acme", "old")
    for n in range(CALLS_PER_PAGE * ENTRIES_PER_CALL):
        await harness.client.xadd("pw:{0}:results", {"result": result(f"j{n}", "beta") if n % 2 else b"no result"})
    first = await harness.queue.ended_jobs.page(5, tenant_id="acme")
    assert first.jobs == ()
    assert first.cursor is not None
    second = await harness.queue.ended_jobs.page(5, first.cursor, "acme")
    assert [job.ref for job in second.jobs] == [ref("old")]
    assert second.looked_until is not None


def test_why_names_the_error_or_what_blocked() -> None:
    base = {"job_id": "1", "tenant_id": "a", "status": "failed"}
    for more, why in (
        ({}, ""),
        ({"error": {"type": "timeout", "message": "too slow"}}, "timeout: too slow"),
        ({"blocker": {"kind": "captcha"}}, "captcha"),
    ):
        job = ended_job(1.0, msgspec.json.encode({**base, **more}))
        assert job is not None
        assert job.why == why
    assert ended_job(1.0, b"{}") is None
