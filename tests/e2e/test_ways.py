"""Two ways in, four ways out: each result exactly once on each."""

import asyncio
import os
import time
from collections import Counter
from contextlib import aclosing

import pw_receiver
import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place

from pageworker_demo.callback_receiver import genuine
from pageworker_supervisor.delivery.signature import HEADER

JOBS = int(os.environ.get("PW_WAYS_JOBS", "100"))
"""By each way in. More repeat the same path: what is lost or doubled under faults is for tests/chaos."""
SECRET = b"callback secret of the tests"

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]


@pytest.mark.timeout(300)
async def test_jobs_are_answered_once_on_every_way() -> None:
    async with (
        place() as here,
        pw_receiver.receiver() as receiver,
        aclosing(Producer(here.redis.url)) as producer,
    ):
        heard: Counter[str] = Counter()
        listening = asyncio.Event()
        with here.worker(
            pool={"runners": 2, "pages": 8}, callbacks={"concurrency": 32}, browser=HEADLESS_SHELL
        ) as daemon:
            async with asyncio.TaskGroup() as tasks:
                ear = tasks.create_task(producer.listen(heard, listening))
                await listening.wait()
                url = receiver.url("/ok")
                ids = [f"{way}-{number}" for way in ("list", "stream") for number in range(JOBS)]
                texts = [producer.job(job_id, "demo.echo", {"id": job_id}, callback_url=url) for job_id in ids]
                await producer.push(*texts[:JOBS])
                await producer.add(*texts[JOBS:])
                await producer.collect(2 * JOBS, 240)
                received = await receiver.until(2 * JOBS)
                await producer.settle()
                ear.cancel()
            assert daemon.terminate() == 0
        once = Counter(dict.fromkeys(ids, 1))
        assert {r["status"] for r in producer.results.values()} == {"succeeded"}
        assert all(result["data"] == {"id": job_id} for job_id, result in producer.results.items())
        assert producer.stream == once
        assert heard == once
        assert Counter(post.job_id for post in received) == once
        assert all(genuine(SECRET, post.headers[HEADER.lower()], post.body, time.time()) for post in received)
        keys = await producer.redis.mget([f"pw:result:{producer.tenant}:{job_id}" for job_id in ids])
        assert all(keys)
