"""Other programs on the host, and the host's limits: jobs and probes go on, and the worker stays up."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place
from pw_daemon.processes import descriptor_limits, limit_descriptors
from pw_flood import flood

JOBS = 60
PROBES = ("/healthz", "/readyz", "/status", "/metrics")
PROBE_SECONDS = 1.0
"""Kubernetes' default time limit of a probe."""
WATCHED_SECONDS = 11.0
"""The watchdog measures memory every ten seconds."""
POOL = {"runners": 2, "pages": 4}

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(150)]


@pytest.fixture
async def here() -> AsyncIterator[DaemonFolder]:
    async with place() as found:
        yield found


async def probe(address: str, slow: list[str], done: asyncio.Event) -> int:
    """Probe until told to stop, each time over a new connection. Returns the number of probes."""
    count = 0
    while not done.is_set():
        for path in PROBES:
            async with httpx.AsyncClient(trust_env=False, timeout=10 * PROBE_SECONDS) as client:
                answer = await client.get(f"http://{address}{path}")
            count += 1
            if answer.status_code != 200 or answer.elapsed.total_seconds() > PROBE_SECONDS:
                slow.append(f"{path} {answer.status_code} {answer.elapsed}")
        await asyncio.sleep(0.05)
    return count


async def work(producer: Producer, name: str) -> list[float]:
    """Some jobs; how long each of them ran and waited."""
    ids = [f"{name}-{number}" for number in range(JOBS)]
    await producer.push(*(producer.job(job_id, "test.nap", {"seconds": 0.05}) for job_id in ids))
    await producer.collect(len(producer.results) + JOBS, 60)
    results = [producer.results[job_id] for job_id in ids]
    assert {result["status"] for result in results} == {"succeeded"}
    assert {len(result["attempts"]) for result in results} == {1}
    return [result["timing"]["total"] for result in results]


@pytest.mark.exclusive
async def test_idle_and_slow_connections_of_others_cost_no_probe_and_no_job(here: DaemonFolder) -> None:
    with here.worker(pool=POOL, browser=HEADLESS_SHELL) as daemon:
        async with aclosing(Producer(here.redis.url)) as producer:
            await work(producer, "before")
            port = int(address(daemon).rpartition(":")[2])
            async with flood(port, idle=2000, slow=200), asyncio.TaskGroup() as tasks:
                slow, done = list[str](), asyncio.Event()
                probing = tasks.create_task(probe(address(daemon), slow, done))
                for number in range(3):
                    await work(producer, f"beside-{number}")
                done.set()
            assert probing.result() >= 20
            assert len(slow) <= probing.result() // 20, slow
            assert "connections_dropped_total{" in daemon.get("/metrics").text, "some were cut"
        assert open_files(daemon) < 1000
        assert daemon.terminate() == 0


async def test_a_worker_without_any_descriptor_left_lives_and_goes_on(here: DaemonFolder) -> None:
    with here.worker(pool={**POOL, "runners": 3, "residency_seconds": 60}, browser=HEADLESS_SHELL) as daemon:
        async with aclosing(Producer(here.redis.url)) as producer:
            await work(producer, "before")
            await producer.push(producer.job("profile", "test.nap", {"seconds": 0}, profile_id="p0"))
            await producer.collect(JOBS + 1, 60)
            runners = {runner.runner_id for runner in daemon.status().runners if runner.state == "ready"}
            await producer.push(producer.job("long", "test.nap", {"seconds": 3}))
            before = limit_descriptors(daemon.pid, (3, descriptor_limits(daemon.pid)[1]))
            try:
                await asyncio.sleep(WATCHED_SECONDS)
                await producer.push(producer.job("meanwhile", "test.nap", {"seconds": 0}, profile_id="p1"))
                await asyncio.sleep(1)
            finally:
                limit_descriptors(daemon.pid, before)
            await producer.collect(JOBS + 3, 60)
            assert {result["status"] for result in producer.results.values()} == {"succeeded"}
            await work(producer, "after")
        lines = [line for line in daemon.log() if "runner_id" in line and "job" not in line]
        stayed = runners - {line["runner_id"] for line in lines if line["message"] == "runner retires"}
        told = {line["message"] for line in lines if line["runner_id"] in stayed and line["level"] != "info"}
        assert told <= {"runner could not be measured"}, "they had nothing to do with it"
        assert "runner could not be measured" in {line["message"] for line in lines}
        assert daemon.terminate() == 0


def address(daemon: DaemonProcess) -> str:
    (ready,) = [line for line in daemon.log() if line.get("message") == "ready"][-1:]
    return str(ready["http"])


def open_files(daemon: DaemonProcess) -> int:
    return len(os.listdir(Path(f"/proc/{daemon.pid}/fd")))
