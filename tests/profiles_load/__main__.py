"""`python -m profiles_load [--minutes 10] [--profiles 300] [--per-second 0.4] [--memory-gib 4] [--full]`

The worker runs in a cgroup with this much memory. The last line is JSON. The exit code is 1 if a bound is broken.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from bench.fixtures import KNOWN, headless_shell
from pw_daemon import DaemonFolder, DaemonProcess, Producer, place, write_module
from pw_daemon.processes import below
from pw_runner.site import Site, SiteAnswer

from profiles_load.arrivals import arrivals
from profiles_load.memory_group import MemoryGroup, memory_group
from profiles_load.summary import LoadFacts, broken, summary

RUNNERS = 6
IDLE_SECONDS = 20.0
"""A profile without a job for so long has no runner. Short, so that it is seen often in a run of minutes."""
CLOSING_SECONDS = 25.0
"""To close a browser with its profile, on a busy host."""
SAMPLE_SECONDS = 2.0
BY_HAND_SECONDS = 15.0
"""Between two starts by hand."""
LAST_SECONDS = 120.0
BODY = """
await page.goto("http://shop.test/")
await page.evaluate("localStorage.setItem('visits', 1 + Number(localStorage.getItem('visits')))")
return {"visits": await page.evaluate("Number(localStorage.getItem('visits'))")}
"""


class ProfilesLoad:
    """One run. What was seen is in its fields."""

    def __init__(self, daemon: DaemonProcess, producer: Producer, group: MemoryGroup, browser: str) -> None:
        self._daemon = daemon
        self._producer = producer
        self._group = group
        self._browser = browser
        self._pushed: dict[str, str] = {}
        """Profile by job."""
        self._open: Counter[str] = Counter()
        """Jobs without a result, by profile."""
        self._ended: dict[str, float] = {}
        """When the last job of each profile ended."""
        self.cold: list[float] = []
        self.wrong: list[dict[str, Any]] = []
        self.memory: list[int] = []
        self.by_hand: list[float] = []
        self.idle: set[str] = set()
        self._runners: set[str] = set()

    async def run(self, profiles: int, per_second: float, seconds: float, seed: int) -> None:
        """Push, watch, and wait for the last result."""
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(each) for each in (self._watch(), self._by_hand(), self._collect())]
            began = time.monotonic()
            for number, arrival in enumerate(arrivals(profiles, per_second, seconds, seed)):
                await asyncio.sleep(began + arrival.at_seconds - time.monotonic())
                job_id = f"job-{number}"
                self._pushed[job_id] = arrival.profile
                self._open[arrival.profile] += 1
                await self._producer.push(
                    self._producer.job(job_id, "test.visit", {}, profile_id=arrival.profile, max_retries=0)
                )
            async with asyncio.timeout(LAST_SECONDS):
                while self._open.total():  # noqa: ASYNC110 - the results come in another task
                    await asyncio.sleep(0.1)
            for each in watching:
                each.cancel()

    async def _collect(self) -> None:
        while True:
            known = set(self._producer.results)
            await self._producer.collect(len(known) + 1, 24 * 3600)
            for job_id in self._producer.results.keys() - known:
                self._take(job_id, self._producer.results[job_id])

    def _take(self, job_id: str, result: dict[str, Any]) -> None:
        profile = self._pushed[job_id]
        self._open[profile] -= 1
        self._ended[profile] = time.monotonic()
        if result["status"] != "succeeded":
            self.wrong.append(result)
        elif result["runner_id"] not in self._runners:
            self._runners.add(result["runner_id"])
            self.cold.append(float(result["timing"]["admitted"]))

    async def _watch(self) -> None:
        while True:
            self.memory.append(self._group.used_bytes())
            status = await asyncio.to_thread(self._daemon.status)
            late = time.monotonic() - IDLE_SECONDS - CLOSING_SECONDS
            for runner in status.runners:
                profile = runner.profile_id
                if profile and not self._open[profile] and self._ended.get(profile, late) < late:
                    self.idle.add(profile)
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _by_hand(self) -> None:
        command = (sys.executable, "-m", "bench.cold", self._browser)
        while True:
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
            self.by_hand.append(float(done.stdout))
            await asyncio.sleep(BY_HAND_SECONDS)

    async def left(self) -> list[str]:
        """Processes of runners once every profile was idle for too long."""
        until = time.monotonic() + IDLE_SECONDS + CLOSING_SECONDS
        while (found := _runner_processes(self._daemon.pid)) and time.monotonic() < until:  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.5)  # processes that are no children of ours: nothing tells their end
        return found


def _runner_processes(daemon: int) -> list[str]:
    return [line[:120] for line in below(daemon).values() if "pageworker_runner" in line or "--user-data-dir" in line]


async def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="profiles_load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--profiles", type=int, default=300)
    parser.add_argument("--per-second", type=float, default=0.4)
    parser.add_argument("--memory-gib", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="the full browser in place of the headless shell")
    given = parser.parse_args()
    browser = KNOWN[0] if given.full else headless_shell()
    limit = int(given.memory_gib * 1024**3)
    with memory_group(limit) as group:
        async with _place() as (here, address):
            daemon = _daemon(here, group, address, browser)
            try:
                async with aclosing(Producer(here.redis.url)) as producer:
                    load = ProfilesLoad(daemon, producer, group, browser)
                    await load.run(given.profiles, given.per_second, 60 * given.minutes, given.seed)
                    left = await load.left()
                    code = daemon.terminate()
            finally:
                daemon.kill()
        facts = LoadFacts(
            minutes=given.minutes,
            profiles=given.profiles,
            jobs=len(producer.results),
            wrong=len(load.wrong),
            cold=load.cold,
            by_hand=load.by_hand,
            memory=load.memory,
            memory_limit=limit,
            killed=group.killed(),
            idle=sorted(load.idle),
            left=left,
        )
    for result in load.wrong[:5]:
        print(result, file=sys.stderr)
    line = summary(facts)
    print(f"idle: {facts.idle}, exit code {code}, broken: {broken(line)}", file=sys.stderr)
    print(json.dumps(line))
    return 1 if broken(line) or code else 0


@asynccontextmanager
async def _place() -> AsyncIterator[tuple[DaemonFolder, str]]:
    """A folder with the module of the jobs, and the address of its site."""
    async with AsyncExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0))
        site = await Site({"/": SiteAnswer("<title>shop</title>")}).serve(listener)
        stack.push_async_callback(site.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        module = write_module(folder, "test.visit", BODY, egress=["shop.test"])
        here = await stack.enter_async_context(place(module))
        yield here, f"127.0.0.1:{listener.getsockname()[1]}"


def _daemon(here: DaemonFolder, group: MemoryGroup, address: str, browser: str) -> DaemonProcess:
    config = here.write_config(
        browser={"executable": browser},
        pool={"runners": RUNNERS, "pages": 1, "idle_seconds": IDLE_SECONDS},
        egress={"hosts": {"shop.test": address}},
    )
    daemon = DaemonProcess(config, here.folder / "w1", group.prefix)
    daemon.start()
    return daemon


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
