"""Kill the daemon, a runner, Chromium, in the middle of work: nothing stays, nothing is lost, nothing comes twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing

import pytest
from pw_daemon import DaemonProcess, Place, Producer, place
from pw_daemon.processes import below
from pw_wall import gone

JOBS = 200

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]


def kill_daemon(daemon: DaemonProcess) -> None:
    tree = gone.watch([*below(daemon.pid), daemon.pid])
    # `tee` only copies the log; it ends with the pipe.
    daemon.kill()
    assert not gone.left(tree, 2)
    daemon.start()


def kill_one(daemon: DaemonProcess, wanted: Callable[[str], bool]) -> None:
    """SIGKILL to the first process that matches in a runner that is at work; the runner's tree must be gone."""
    runner = next(r for r in daemon.status().runners if r.state == "ready" and r.pages["running"] and r.pid)
    assert runner.pid
    tree = below(runner.pid)
    victim = next(pid for pid, line in sorted(tree.items()) if wanted(line))
    watched = gone.watch([runner.pid, *tree])
    os.kill(victim, signal.SIGKILL)
    assert not gone.left(watched, 2)


def kill_runner(daemon: DaemonProcess) -> None:
    kill_one(daemon, lambda line: "pageworker_runner" in line and "bwrap" not in line)


def kill_chromium(daemon: DaemonProcess) -> None:
    kill_one(daemon, lambda line: "--remote-debugging-pipe" in line and "--type=" not in line)


async def until_some_run(producer: Producer, daemon: DaemonProcess, answered: int) -> None:
    """So many are answered, and some are at work."""
    await producer.collect(answered, 90)
    async with asyncio.timeout(30):
        while not any(r.pages.get("running") for r in daemon.status().runners if r.state == "ready"):
            await producer.collect(len(producer.results) + 1, 30)


@pytest.mark.parametrize("kill", [kill_daemon, kill_runner, kill_chromium])
async def test_every_job_is_answered_once_whatever_is_killed(kill: Callable[[DaemonProcess], None]) -> None:
    async with place() as here:
        await kill_amid_work(here, kill)


async def kill_amid_work(here: Place, kill: Callable[[DaemonProcess], None]) -> None:
    ids = [f"{kill.__name__}-{number}" for number in range(JOBS)]
    async with aclosing(Producer(here.redis.url)) as producer:
        with here.worker(jobs={"retry_base_seconds": 0.2}) as daemon:
            await producer.push(*(producer.job(job_id, "test.nap", {"seconds": 0.2}) for job_id in ids))
            await until_some_run(producer, daemon, 20)
            await asyncio.to_thread(kill, daemon)
            await producer.collect(JOBS, 120)
            await producer.settle()
            assert producer.stream == Counter(dict.fromkeys(ids, 1))
            assert {result["status"] for result in producer.results.values()} == {"succeeded"}
            again = [r for r in producer.results.values() if len(r["attempts"]) > 1]
            assert 1 <= len(again) <= 8
            assert daemon.terminate() == 0
