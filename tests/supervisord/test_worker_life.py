"""A real worker under a real supervisord, with the shipped file: it is started again, and drained, and loses no job."""

import asyncio
import datetime as dt
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, Producer, place
from pw_daemon.processes import below
from pw_servers.waiting import until
from pw_supervisord import supervisord, with_config

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(300)]


READ_AGAIN = '"message":"configuration read again"'


@pytest.fixture
async def here() -> AsyncIterator[DaemonFolder]:
    async with place() as found:
        yield found


def begun(here: DaemonFolder, job_id: str) -> None:
    """Until its handler runs."""
    key = f"pw:{{0}}:job:acme/{job_id}"
    until(lambda: here.redis.command("HGET", key, "begun") == b"1", f"{job_id} runs", 100.0, 0.05)


def schema_checkers(pid: int) -> set[int]:
    """Those of this worker that a signal to its group reaches."""
    found = {child for child, line in below(pid).items() if "schema_checker" in line}
    return {child for child in found if os.getpgid(child) == pid}


async def test_a_worker_is_started_again_and_drained_without_losing_a_job(here: DaemonFolder) -> None:
    overrides = with_config(here.write_config(browser=HEADLESS_SHELL), startsecs="1")
    async with aclosing(Producer(here.redis.url)) as producer:
        with supervisord("pageworker.conf", overrides=overrides) as running:
            up = running.wait_for("RUNNING")
            await producer.push(producer.job("killed", "test.nap", {"seconds": 3}))
            begun(here, "killed")

            os.kill(up["pid"], signal.SIGKILL)
            died = running.wait_for("EXITED")
            up = running.wait_for("RUNNING")
            await producer.collect(1, 100)

            here.write_config(browser=HEADLESS_SHELL, jobs={"timeout_seconds": 77})
            running.control("signal", "HUP", "pageworker")
            until(lambda: READ_AGAIN in running.output(), "the configuration is read again", 100.0, 0.05)

            # A payload that is checked against a schema starts the schema checker.
            await producer.push(producer.job("checked", "shop.product", {}))
            await producer.collect(2, 100)
            await producer.push(producer.job("drained", "test.nap", {"seconds": 6}))
            begun(here, "drained")
            helpers = schema_checkers(up["pid"])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.to_thread(running.control, "stop", "pageworker"))
                told = await asyncio.to_thread(running.wait_for, "STOPPING")
                left = schema_checkers(up["pid"])
            running.wait_for("STOPPED")
            await producer.collect(3, 10)
            await producer.settle()
    assert died["message"] == "process ended unexpectedly: supervisord starts it again"
    ended = {job_id: (result["status"], len(result["attempts"])) for job_id, result in producer.results.items()}
    assert ended["killed"][0] == "succeeded"
    assert ended["drained"] == ("succeeded", 1)
    assert set(producer.stream.values()) == {1}
    # The job was at work when the worker was told to stop, and the worker ended by itself.
    assert dt.datetime.fromisoformat(told["ts"]).timestamp() < producer.results["drained"]["data"]["span"][1]
    assert "stopped: pageworker (exit status 0)" in running.ended_log
    # A signal to the group of the worker would have ended its schema checker.
    assert len(helpers) == 1
    assert left == helpers
