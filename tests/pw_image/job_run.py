"""Pushes jobs, and collects their results while something happens to the worker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pageworker_demo.expectations import jobs_to_call_back, problems, ref_of
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import plain_redis
from pageworker_demo.scenario import ScenarioJob
from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.contract.job import JobRef
from pw_image.testbed import DemoSite, Testbed

CALLBACK_SECONDS = 60.0
PUSHES_AT_ONCE = 20
"""Each takes a connection. The client's pool has 100, and raises an error for one more."""


async def run_jobs(
    testbed: Testbed,
    site: DemoSite,
    jobs: Sequence[ScenarioJob],
    seconds: float,
    halfway: Callable[[], Awaitable[object]] | None = None,
) -> list[str]:
    """Run the jobs. Returns what differs from the expected results. `halfway`: called after half of the results.

    Raises TimeoutError, with the number of results, if some are missing after `seconds`.
    """
    arrived = {job.ref: asyncio.Event() for job in jobs}
    pushes = asyncio.Semaphore(PUSHES_AT_ONCE)
    async with plain_redis(testbed.redis.port) as redis:
        client = DemoQueueClient(redis)
        try:
            async with asyncio.timeout(seconds), TaskGroup() as tasks:
                tasks.create_task(_collect(client, arrived, halfway))
                for job in jobs:
                    tasks.create_task(_push(client, job, arrived, pushes))
        except TimeoutError as error:
            missing = sorted(str(ref) for ref, event in arrived.items() if not event.is_set())
            error.add_note(f"{len(missing)} of {len(jobs)} jobs have no result: {', '.join(missing[:10])}")
            raise
        await _await_callbacks(site, jobs)
        return problems(jobs, await client.all_results(), site.receiver.callbacks)


async def _push(
    client: DemoQueueClient, job: ScenarioJob, arrived: dict[JobRef, asyncio.Event], pushes: asyncio.Semaphore
) -> None:
    if job.after is not None:
        await arrived[job.after].wait()
    for _ in range(job.pushes):
        async with pushes:
            await client.push(job.text)


async def _collect(
    client: DemoQueueClient,
    arrived: dict[JobRef, asyncio.Event],
    halfway: Callable[[], Awaitable[object]] | None,
) -> None:
    async for result in client.results():
        arrived[ref_of(result)].set()
        count = sum(event.is_set() for event in arrived.values())
        if count == len(arrived):
            return
        if halfway is not None and count >= len(arrived) // 2:
            happens, halfway = halfway, None
            await happens()


async def _await_callbacks(site: DemoSite, jobs: Sequence[ScenarioJob]) -> None:
    expected = jobs_to_call_back(jobs)
    try:
        async with asyncio.timeout(CALLBACK_SECONDS):
            while expected - {each.ref for each in site.receiver.callbacks if each.accepted}:
                site.receiver.changed.clear()
                await site.receiver.changed.wait()
    except TimeoutError:
        # `problems` names the missing ones.
        return
