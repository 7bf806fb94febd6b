"""`python -m handover [--handovers N] [--kills N] [--without-browsers]`: a login goes from worker to worker and back.

First normally. Then the worker that closes the profile is killed while it writes the snapshot. Then the browser is
killed after its checkpoint is stored, and the other worker goes on. Each job must find the login: the cookie, and the
entry in local storage. After a normal hand-over and after a checkpoint it must find the newest one. The last line is
JSON; the exit code is 1 if a login was lost.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from pw_daemon import DaemonProcess
from pw_profiles.fleet import SnapshotFleet, snapshot_fleet

from handover.holders import Holders
from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.errors import WorkerUnreachable

DRAIN_SECONDS = 60.0
ANSWER_SECONDS = 120.0
"""Of a worker's control socket: both workers and their browsers share the machine with other work."""
LOOK_SECONDS = 0.001
CHECKPOINT_SECONDS = 0.5
"""Between two checkpoints: 60 by default."""
STORED_SECONDS = 120.0
"""Until the checkpoint of a job is stored."""
LONGEST_WRITE_SECONDS = 0.2
"""From the first byte of a snapshot on: kills are spread over packing, storing, reading back and naming it."""


async def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="handover", description=__doc__)
    parser.add_argument("--handovers", type=int, default=50)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--without-browsers", action="store_true", help="processes in place of workers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.without_browsers:
            return without_browsers(Path(folder), given.handovers, given.kills)
        async with snapshot_fleet(Path(folder)) as fleet:
            options = {"checkpoint_seconds": CHECKPOINT_SECONDS}
            with fleet.worker("a", **options) as a, fleet.worker("b", **options) as b:
                line = await Handovers(fleet, [a, b]).run(given.handovers, given.kills)
    print(json.dumps(line))
    return 1 if line["lost"] or line["stale"] else 0


def without_browsers(folder: Path, handovers: int, kills: int) -> int:
    """The same between processes that hold no browser."""
    holders = Holders(folder)
    holders.run(handovers, kills)
    found = {"killed_while_written": holders.killed, "lost": holders.lost, "stale": holders.stale}
    print(json.dumps({"suite": "handover", "handovers": handovers, "kills": kills, **found}))
    return 1 if holders.lost or holders.stale else 0


class Handovers:
    """Two workers, of which one takes jobs."""

    def __init__(self, fleet: SnapshotFleet, workers: list[DaemonProcess]) -> None:
        self._fleet = fleet
        self._workers = workers
        self._logins = 0
        self._last_began = 0.0
        self.lost = 0
        """Jobs that found no login."""
        self.stale = 0
        """Jobs that found an older login after a normal hand-over."""

    async def run(self, handovers: int, kills: int) -> dict[str, object]:
        """All of them. Returns the line of the result."""
        await asyncio.to_thread(drain, self._workers[1])
        await self._visit(first=True)
        began = time.monotonic()
        for _ in range(handovers):
            await asyncio.to_thread(drain, self._workers[0])
            await self._change()
            await self._visit(newest=True)
        seconds = (time.monotonic() - began) / max(handovers, 1)
        written = 0
        for _ in range(kills):
            written += await asyncio.to_thread(self._kill_while_written)
            await self._change()
            await self._visit()
        for _ in range(kills):
            await self._until_stored(self._last_began)
            await asyncio.to_thread(self._kill_browser)
            await self._change()
            await self._visit(newest=True)
        return {
            "suite": "handover",
            "handovers": handovers,
            "kills": kills,
            "killed_while_written": written,
            "killed_after_checkpoint": kills,
            "seconds_per_handover": round(seconds, 2),
            "lost": self.lost,
            "stale": self.stale,
        }

    async def _change(self) -> None:
        self._workers.reverse()
        await asyncio.to_thread(WorkerClient(self._workers[0].data_dir, ANSWER_SECONDS).undrain)

    async def _visit(self, *, first: bool = False, newest: bool = False) -> None:
        before = self._logins
        self._logins += 1
        self._last_began = time.time()
        found = await self._fleet.found(user=str(self._logins))
        cookie, entry = found["cookie"], found["entry"]
        if not (cookie and entry) and not first:
            self.lost += 1
        elif newest and (cookie, entry) != (f"user={before}", str(before)):
            self.stale += 1
        print(f"login {self._logins}: found {cookie or 'no cookie'}, {entry or 'no entry'}", flush=True)

    async def _until_stored(self, since: float) -> None:
        """Wait until a checkpoint is stored that was taken after the job that began then. Raises TimeoutError."""
        async with asyncio.timeout(STORED_SECONDS):
            # The store is outside of every process here: no event tells.
            while True:
                checkpoint = self._fleet.head()["checkpoint"]
                if checkpoint is not None and checkpoint["taken_at"] > since:
                    return
                await asyncio.sleep(LOOK_SECONDS)

    def _kill_browser(self) -> None:
        """Kill the runner with all of its processes. Its worker takes no more jobs."""
        worker = self._workers[0]
        (runner,) = worker.status().runners
        assert runner.pid is not None
        os.kill(runner.pid, signal.SIGKILL)
        drain(worker)

    def _kill_while_written(self) -> bool:
        """Kill the worker while it closes the profile. It comes back drained. False: it was done before."""
        worker = self._workers[0]
        transfer = worker.data_dir / "profiles/acme/buyer/transfer"
        draining = threading.Thread(target=drain_until_killed, args=(worker,))
        draining.start()
        until = time.monotonic() + DRAIN_SECONDS
        writing = False
        while time.monotonic() < until and self._fleet.head()["holder"] is not None and not writing:
            writing = transfer.is_dir() and any(transfer.glob("*.outgoing"))
            time.sleep(LOOK_SECONDS)
        time.sleep(random.uniform(0, LONGEST_WRITE_SECONDS))
        worker.kill()
        draining.join()
        worker.start()
        drain(worker)
        return writing


def drain(worker: DaemonProcess) -> None:
    """Have it take no jobs, and close its browsers."""
    for _ in WorkerClient(worker.data_dir, ANSWER_SECONDS).drain(DRAIN_SECONDS):
        pass


def drain_until_killed(worker: DaemonProcess) -> None:
    """The same, of a worker that may be killed meanwhile."""
    with suppress(WorkerUnreachable):
        drain(worker)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
