"""What a real worker shows of a real job, as Prometheus asks for it."""

import asyncio
import subprocess
import time
from contextlib import aclosing

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

MEASURED_SECONDS = 40.0
LONG_SECONDS = 12.0
MIB = 1024**2


def samples(daemon: DaemonProcess) -> dict[tuple[str, str], float]:
    """Values by name and by label values, joined by a comma."""
    families = text_string_to_metric_families(daemon.get("/metrics").text)
    return {
        (sample.name, ",".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def mistakes(daemon: DaemonProcess) -> str:
    """What promtool does not like about what is scraped."""
    command, asked = ["promtool", "check", "metrics"], daemon.get("/metrics").text
    return subprocess.run(command, input=asked, capture_output=True, text=True, timeout=60, check=False).stderr


async def until_measured(daemon: DaemonProcess) -> dict[tuple[str, str], float]:
    """The samples once the first runner is measured."""
    async with asyncio.timeout(MEASURED_SECONDS):
        while True:
            if ("pageworker_runner_memory_bytes", "0") in (found := await asyncio.to_thread(samples, daemon)):
                return found
            # Another process's measurements cannot be awaited.
            await asyncio.sleep(0.5)


async def test_a_worker_shows_where_time_and_memory_go() -> None:
    began = time.time()
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(browser=HEADLESS_SHELL) as daemon:
            await producer.push(
                producer.job("short", "test.nap", {"seconds": 0}),
                producer.job("long", "test.nap", {"seconds": LONG_SECONDS}),
            )
            await producer.collect(1, 60)
            found = await until_measured(daemon)
            assert found["pageworker_job_latency_seconds_count", "test.nap"] == 1
            assert found["pageworker_page_wait_seconds_count", ""] == 2
            assert found["pageworker_page_pool_size", ""] >= 1
            assert found["pageworker_runner_memory_bytes", "0"] > 50 * MIB
            assert found["pageworker_runner_memory_bytes", "0"] < found["pageworker_runner_memory_limit_bytes", ""]
            assert 0 < found["pageworker_runner_cpu_seconds_total", "0"] < time.time() - began
            assert found["pageworker_registry_expiry_timestamp_seconds", ""] > began
            assert found["pageworker_redis_seconds_count", "claim"] >= 1
            assert found["pageworker_redis_seconds_count", "finish"] >= 1
            assert found["pageworker_draining", ""] == 0
            assert ("pageworker_drain_deadline_timestamp_seconds", "") not in found
            assert await asyncio.to_thread(mistakes, daemon) == ""
            assert daemon.terminate() == 0
