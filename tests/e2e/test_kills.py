"""Kill the daemon, a runner or Chromium while jobs run: no process stays, no job is lost, no result comes twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place
from pw_daemon.processes import below
from pw_sandbox import gone

from pageworker_supervisor.admin.status import RunnerReport

JOBS = 100
NAP_SECONDS, LONG_SECONDS = 0.05, 3.0
"""Of most jobs; and of the job during which the test kills, which has to be long enough for a busy host."""
SETTLED_SECONDS = 0.3
EXITS = {"kill_daemon": None, "kill_runner": "signal", "kill_chromium": "crashed"}
"""How the browser's end is counted. The counters of a killed daemon are gone with it."""
FULL_BROWSER: dict[str, str] = {}
"""Settings of `browser`. The full one has more processes, and takes twice the CPU time."""

Kill = Callable[[DaemonProcess, RunnerReport], None]

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]


def kill_daemon(daemon: DaemonProcess, _: RunnerReport) -> None:
    tree = gone.watch([*below(daemon.pid), daemon.pid])
    # `tee` only copies the log; it ends with the pipe.
    daemon.kill()
    assert not gone.left(tree, 2)
    daemon.start()


def kill_one(runner: RunnerReport, wanted: Callable[[str], bool]) -> None:
    """SIGKILL to the first process of the runner that matches; its whole tree must be gone."""
    assert runner.pid
    tree = below(runner.pid)
    victim = next(pid for pid, line in sorted(tree.items()) if wanted(line))
    watched = gone.watch([runner.pid, *tree])
    os.kill(victim, signal.SIGKILL)
    assert not gone.left(watched, 2)


def kill_runner(_: DaemonProcess, runner: RunnerReport) -> None:
    kill_one(runner, lambda line: "pageworker_runner" in line and "bwrap" not in line)


def kill_chromium(_: DaemonProcess, runner: RunnerReport) -> None:
    kill_one(runner, lambda line: "--remote-debugging-pipe" in line and "--type=" not in line)


async def until_at_work(producer: Producer, daemon: DaemonProcess, job_id: str) -> RunnerReport:
    """The runner of this job, once the job has run for a while."""
    while True:
        status = daemon.status()
        for job in status.jobs:
            if job.job_id == job_id and job.since_seconds > SETTLED_SECONDS:
                return next(runner for runner in status.runners if runner.runner_id == job.runner_id)
        await producer.collect(len(producer.results) + 1, 60)


@pytest.mark.parametrize("kill", [kill_daemon, kill_runner, kill_chromium])
async def test_every_job_is_answered_once_whatever_is_killed(kill: Kill) -> None:
    async with place() as here:
        await kill_amid_work(here, kill)


async def kill_amid_work(here: DaemonFolder, kill: Kill) -> None:
    browser = FULL_BROWSER if kill is kill_chromium else HEADLESS_SHELL
    ids = [f"{kill.__name__}-{number}" for number in range(JOBS)]
    async with aclosing(Producer(here.redis.url)) as producer:
        with here.worker(browser=browser, jobs={"retry_base_seconds": 0.2}) as daemon:
            naps = {ids[20]: LONG_SECONDS}
            await producer.push(*(producer.job(i, "test.nap", {"seconds": naps.get(i, NAP_SECONDS)}) for i in ids))
            runner = await until_at_work(producer, daemon, ids[20])
            await asyncio.to_thread(kill, daemon, runner)
            await producer.collect(JOBS, 120)
            await producer.settle()
            assert producer.stream == Counter(dict.fromkeys(ids, 1))
            assert {result["status"] for result in producer.results.values()} == {"succeeded"}
            again = [r for r in producer.results.values() if len(r["attempts"]) > 1]
            assert 1 <= len(again) <= 8
            if (reason := EXITS[kill.__name__]) is not None:
                metrics = daemon.get("/metrics").text
                assert f'pageworker_browser_exits_total{{reason="{reason}"}} 1.0' in metrics
                assert f'pageworker_runner_restarts_total{{reason="{reason}"}} 1.0' in metrics
            assert daemon.terminate() == 0
