"""Two workers over one profile store, as on two hosts that share a disk: one holder per profile, and no idle worker."""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import connect

JOBS = 100
"""Jobs on the shared profile, and as many again on other profiles."""
OTHERS = ("p0", "p1", "p2", "p3", None)
WORKERS = ("w1", "w2")
LOOK_SECONDS = 0.02
IDLE_SECONDS = 1.0
"""The longest time that a worker may be idle while there is a job for it. A wake-up and a claim take milliseconds."""

# Which worker runs which job, and whether there is a job that any worker may start now. KEYS: the shard's root.
LOOK = """
local found = {redis.call('ZCARD', KEYS[1] .. ':active')}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. ':leases', 0, -1)) do
  local f = redis.call('HMGET', KEYS[1] .. ':job:' .. id, 'worker', 'context')
  found[#found + 1] = f[1]
  found[#found + 1] = f[2]
end
return found
"""

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]


class Watch:
    """Samples leases in Redis and the profile's lock in the kernel until cancelled."""

    def __init__(self, redis: Any, lock: Path, daemons: dict[str, DaemonProcess]) -> None:
        self.holders: Counter[int] = Counter()
        """Pids, by how often each was seen to hold the profile's lock."""
        self.foreign: list[str] = []
        self.idle_seconds = dict.fromkeys(daemons, 0.0)
        """The longest time that each worker was idle while there was a job for it."""
        self._redis = redis
        self._lock = lock
        self._pids = {name: daemon.pid for name, daemon in daemons.items()}
        self._since: dict[str, float] = {}

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            runnable, *leases = await self._redis.eval(LOOK, 1, "pw:{0}")
            holders = flock_holders(self._lock)
            self.holders.update(holders)
            # A lock that moves between the two samples is seen at the next sample.
            workers = {w.decode().split(".")[0] for w, c in zip(leases[::2], leases[1::2], strict=True) if c == b"one"}
            if len(workers) > 1 or len(holders) > 1:
                self.foreign.append(f"{workers} run jobs of the profile, {holders} hold its lock")
            if holders and workers and {self._pids[name] for name in workers} != holders:
                self.foreign.append(f"{workers} run jobs of the profile that {holders} hold")
            self._note_idle(bool(runnable), {worker.decode().split(".")[0] for worker in leases[::2]})
            await asyncio.sleep(LOOK_SECONDS)

    def _note_idle(self, runnable: bool, busy: set[str]) -> None:
        now = time.monotonic()
        for name in self.idle_seconds:
            if not runnable or name in busy:
                self._since.pop(name, None)
            else:
                idle = now - self._since.setdefault(name, now)
                self.idle_seconds[name] = max(self.idle_seconds[name], idle)


def flock_holders(path: Path) -> set[int]:
    """Pids that hold a flock on the file, as the kernel lists them. Source: proc_locks(5)."""
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return set()
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(f":{inode}")}


def start(here: DaemonFolder, stack: ExitStack, name: str) -> DaemonProcess:
    home = here.folder / name
    home.mkdir(mode=0o711)
    (home / "profiles").symlink_to(here.folder / "profiles")
    pool = {"runners": 2, "pages": 2, "residency_seconds": 0.5}
    worker = here.worker(name, pool=pool, browser=HEADLESS_SHELL)
    return stack.enter_context(worker)


async def test_one_profile_is_never_open_twice_and_no_worker_idles_beside_work() -> None:
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        (here.folder / "profiles").mkdir(mode=0o711)
        with ExitStack() as stack:
            daemons = {name: start(here, stack, name) for name in WORKERS}
            one = [producer.job(f"one-{n}", "test.nap", {"seconds": 0.05}, profile_id="one") for n in range(JOBS)]
            others = [
                producer.job(f"other-{n}", "test.nap", {"seconds": 0.05}, profile_id=OTHERS[n % len(OTHERS)])
                for n in range(JOBS)
            ]
            redis_client = connect(RedisSettings(url=here.redis.url))
            async with aclosing(redis_client), asyncio.TaskGroup() as tasks:
                watch = Watch(redis_client.commands, here.folder / "profiles" / "acme" / "one" / "lock", daemons)
                watching = tasks.create_task(watch.run())
                await producer.push(*(text for pair in zip(one, others, strict=True) for text in pair))
                await producer.collect(2 * JOBS, 150)
                watching.cancel()
            logs = [line for daemon in daemons.values() for line in daemon.log()]
            assert [daemon.terminate() for daemon in daemons.values()] == [0, 0]
    assert Counter(result["status"] for result in producer.results.values()) == {"succeeded": 2 * JOBS}
    assert watch.holders
    assert watch.foreign == []
    assert [line["reason"] for line in logs if line["message"] == "runner did not come up"] == []
    assert max(watch.idle_seconds.values()) <= IDLE_SECONDS, watch.idle_seconds
