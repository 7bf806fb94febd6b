"""`/status` reports measured values in every field."""

import asyncio
import threading
from contextlib import aclosing

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place

from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.status import StatusReport

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

LONG_SECONDS = 14.0
SEVERAL_SECONDS = 30.0


async def until(daemon: DaemonProcess, seen: str) -> StatusReport:
    """The report once its first runner has this field."""
    async with asyncio.timeout(SEVERAL_SECONDS):
        while True:
            report = daemon.status()
            if report.jobs and report.runners and getattr(report.runners[0], seen):
                return report
            # Another process's measurements cannot be awaited.
            await asyncio.sleep(0.2)


async def test_every_field_is_measured() -> None:
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(browser=HEADLESS_SHELL) as daemon:
            await producer.push(
                *(producer.job(f"short-{n}", "test.nap", {"seconds": 0}) for n in range(3)),
                producer.job("long", "test.nap", {"seconds": LONG_SECONDS}, profile_id="p1"),
            )
            await producer.collect(3, 60)
            report = await until(daemon, "memory_bytes")
            assert report.redis.connected
            assert report.counters["jobs"] == 3
            assert set(report.counters) >= {
                "job_retries",
                "leases_lost",
                "callbacks",
                "egress_refusals",
                "runners_ended",
            }
            assert [job.job_id for job in report.jobs] == ["long"]
            for runner in report.runners:
                empty = [name for name in runner.__struct_fields__ if getattr(runner, name) in (None, {}, "")]
                # No module here reports a login: `tests/supervisor/test_worker_report.py` has one that does.
                assert set(empty) <= {"profile_id", "memory_bytes", "login"}
            assert 20_000_000 < max(runner.memory_bytes or 0 for runner in report.runners) < 3 * 1024**3
            await while_draining(daemon, producer)
            assert daemon.terminate() == 0


async def while_draining(daemon: DaemonProcess, producer: Producer) -> None:
    """Redis answers. The worker just takes no jobs."""
    draining = threading.Thread(target=lambda: list(WorkerClient(daemon.data_dir).drain(SEVERAL_SECONDS)))
    draining.start()
    async with asyncio.timeout(SEVERAL_SECONDS):
        while (report := await asyncio.to_thread(daemon.status)).state != "draining":
            continue
    assert report.reason == "draining"
    assert report.redis.connected
    answer = daemon.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "state": "draining", "reason": "draining"}
    await producer.collect(4, 60)
    draining.join()
