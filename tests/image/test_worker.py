"""A worker in a hardened container: jobs, a kill, a restart, health."""

import asyncio
import re
from pathlib import Path

import pytest
from pw_image.container import WorkerContainer
from pw_image.job_run import run_jobs
from pw_image.podman import podman
from pw_image.testbed import DemoSite, Testbed, demo_jobs
from pw_servers.waiting import until

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

TIMES = 7
JOBS_SECONDS = 1500.0
OUTAGE_SECONDS = 60.0


def zombies(container: WorkerContainer) -> list[str]:
    """Processes of the container that have ended, and whose parent did not wait for them: state, pid, parent, name."""
    lines = podman("top", container.name, "state", "pid", "ppid", "comm").splitlines()[1:]
    return [line for line in lines if line.startswith("Z")]


async def test_200_jobs_have_the_expected_results(container: WorkerContainer, testbed: Testbed, site: DemoSite) -> None:
    jobs = demo_jobs(TIMES, site.callback_base_url)
    assert len(jobs) >= 200
    await testbed.prepare(site)
    container.start()
    await asyncio.to_thread(container.until_ready)
    assert await run_jobs(testbed, site, jobs, JOBS_SECONDS) == []
    # The daemon is the first process of the container, so it inherits orphans.
    assert zombies(container) == []
    assert await asyncio.to_thread(container.stop) == 0


async def test_a_kill_and_a_restart_with_the_same_volume_lose_nothing(
    container: WorkerContainer, testbed: Testbed, site: DemoSite
) -> None:
    jobs = demo_jobs(2, site.callback_base_url)
    await testbed.prepare(site)
    container.start()
    await asyncio.to_thread(container.until_ready)

    async def kill_and_restart() -> None:
        await asyncio.to_thread(container.kill)
        await asyncio.to_thread(container.restart)

    assert await run_jobs(testbed, site, jobs, JOBS_SECONDS, halfway=kill_and_restart) == []


async def test_health_is_not_readiness(container: WorkerContainer, testbed: Testbed, site: DemoSite) -> None:
    await testbed.prepare(site)
    container.start()
    await asyncio.to_thread(container.until_ready)
    assert container.is_healthy()
    testbed.redis.pause()
    try:
        await asyncio.to_thread(
            until, lambda: container.ready()[0] == 503, "the worker is not ready", OUTAGE_SECONDS, 0.2
        )
        assert container.ready()[1]["reason"].startswith("Redis does not answer")
        assert container.is_healthy()
    finally:
        testbed.redis.resume()
    await asyncio.to_thread(container.until_ready)
    container.signal("STOP")
    assert not container.is_healthy()
    container.signal("CONT")
    assert container.is_healthy()


async def test_the_daemon_has_no_rights(container: WorkerContainer, testbed: Testbed, site: DemoSite) -> None:
    await testbed.prepare(site)
    container.start()
    pid = int(podman("inspect", "--format", "{{.State.Pid}}", container.name))
    status = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
    assert (status["Uid"].split()[0], status["Groups"].split()) in (("10001", []), ("10001", ["10001"]))
    assert (status["CapEff"], status["CapBnd"]) == ("0" * 16, "0" * 16)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    code, text = container.run("/usr/bin/python3", "-c", "open('/usr/x', 'w')")
    assert code == 1
    assert "Read-only file system" in text
