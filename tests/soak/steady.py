"""Thousands of jobs on the four warm pages of one browser: memory, CPU per job, and whatever may be left."""

import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path

from bench.process_tree import PSS, cpu_seconds_of
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place, write_module
from pw_daemon.processes import below
from pw_runner.site import Site, SiteAnswer

from soak.leaks import SoakWindow, failed, soak_line
from soak.processes import usage

PAGES = 4
WINDOW = 500
"""Jobs of the first and of the last window."""
SAMPLE_EVERY = 25
"""Jobs between two samples of memory."""
ANSWER_SECONDS = 300.0
NO_TTL = -1
SCRATCH = ("tmp", "dev/shm", "profile")
"""Where a runner's files are, below its root."""
BODY = """
if payload.get("targets"):
    devtools = await page.context.new_cdp_session(page)
    found = (await devtools.send("Target.getTargets"))["targetInfos"]
    return {"targets": [target["type"] for target in found if target["type"] != "browser"]}
await page.goto("http://shop.test/")
await page.fill("input", str(payload["number"]))
await page.click("button")
return {"text": await page.inner_text("p")}
"""
SHOP = """<title>shop</title><input><button onclick="document.querySelector('p').textContent =
document.querySelector('input').value">ok</button><p></p><script>fetch('/style').then(it => it.text())</script>"""


class Steady:
    """One run."""

    def __init__(self, here: DaemonFolder, daemon: DaemonProcess, producer: Producer, jobs: int) -> None:
        self._here = here
        self._daemon = daemon
        self._producer = producer
        self._jobs = jobs
        self._pushed = 0

    async def run(self) -> dict[str, object]:
        """The line of the result."""
        await self._up_to(PAGES * 4)  # all pages are open
        first, start = await self._window(WINDOW), await self._counts()
        await self._up_to(self._jobs - WINDOW)
        last, end = await self._window(self._jobs), await self._counts()
        return soak_line(self._pushed, first, last, start, end, self._wrong())

    async def _window(self, until: int) -> SoakWindow:
        began, cpu = len(self._producer.results), self._cpu()
        before = usage(self._daemon.pid, below(self._daemon.pid))
        pss: list[int] = []
        while len(self._producer.results) < until:
            await self._up_to(min(until, len(self._producer.results) + SAMPLE_EVERY))
            pss.append(pss_bytes(self._daemon.pid))
        window = SoakWindow(len(self._producer.results) - began, self._cpu() - cpu, pss)
        per_job = 1000 * window.cpu_seconds / window.jobs
        print(f"{until} jobs: {per_job:.1f} ms CPU per job, {pss[-1] >> 20} MiB", file=sys.stderr, flush=True)
        for kind, (mib, seconds) in sorted(usage(self._daemon.pid, below(self._daemon.pid)).items()):
            # Renderers come and go: what those that have ended used is in none of them.
            used = 1000 * (seconds - before.get(kind, (0.0, 0.0))[1]) / window.jobs
            print(f"  {kind}: {mib:.1f} MiB, {used:.2f} ms per job", file=sys.stderr, flush=True)
        return window

    async def _up_to(self, until: int) -> None:
        """Until so many jobs have their results. As many as there are pages run at once."""
        while len(self._producer.results) < until:
            texts = []
            while self._pushed < min(until, len(self._producer.results) + 2 * PAGES):
                payload = {"number": self._pushed}
                texts.append(self._producer.job(f"soak-{self._pushed}", "test.soak", payload))
                self._pushed += 1
            if texts:
                await self._producer.push(*texts)
            await self._producer.collect(len(self._producer.results) + 1, ANSWER_SECONDS)

    def _cpu(self) -> float:
        return cpu_seconds_of([self._daemon.pid])[self._daemon.pid]

    async def _counts(self) -> dict[str, int]:
        """What may leak, while no job runs."""
        job_id = f"targets-{self._pushed}"
        await self._producer.push(self._producer.job(job_id, "test.soak", {"targets": True}))
        await self._producer.collect(len(self._producer.results) + 1, ANSWER_SECONDS)
        answer = self._producer.results.pop(job_id)
        assert answer["status"] == "succeeded", answer
        pids = [self._daemon.pid, *below(self._daemon.pid)]
        keys = [key async for key in self._producer.redis.scan_iter(count=1000)]
        async with self._producer.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.ttl(key)
            lasting = [ttl for ttl in await pipe.execute() if ttl == NO_TTL]
        counts = {
            "targets": len(answer["data"]["targets"]),
            "descriptors": sum(map(_descriptors, pids)),
            "processes": len(pids),
            "files": len(list(self._files(pids))),
            "redis_keys": len(lasting),
        }
        print(counts, file=sys.stderr, flush=True)
        return counts

    def _files(self, pids: list[int]) -> Iterator[str]:
        """Below the worker's data folder, and in the tmpfs of the runner."""
        folders = [self._here.folder / "w1"]
        runners = [pid for pid, line in below(self._daemon.pid).items() if "--user-data-dir" in line]
        folders += [Path(f"/proc/{pid}/root") / name for pid in runners[:1] for name in SCRATCH]
        for folder in folders:
            for path, _, names in os.walk(folder):
                yield from (f"{path}/{name}" for name in names)

    def _wrong(self) -> list[str]:
        results = self._producer.results
        wrong = [f"{job_id} ended as {each['status']}" for job_id, each in results.items() if each["data"] is None]
        wrong += [f"{job_id} has {times} results" for job_id, times in self._producer.stream.items() if times > 1]
        return wrong[:10]


def pss_bytes(root: int) -> int:
    """Proportional set size of a process and all below it."""
    kib = 0
    for pid in (root, *below(root)):
        # A process may end meanwhile.
        with suppress(OSError):
            found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
            kib += int(found[1]) if found else 0
    return kib * 1024


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


async def run_steady(jobs: int, max_jobs: int) -> int:
    """Print the result as one line of JSON. Returns the exit code. `max_jobs`: a runner is replaced after them."""
    async with _place() as (here, address):
        with here.worker(
            browser=HEADLESS_SHELL,
            pool={"runners": 1, "pages": PAGES, "max_jobs": max_jobs, "max_age_seconds": 86400},
            egress={"hosts": {"shop.test": address}},
            log={"level": "info"},
        ) as daemon:
            async with aclosing(Producer(here.redis.url)) as producer:
                line = await Steady(here, daemon, producer, jobs).run()
            code = daemon.terminate()
    print(f"exit code {code}", file=sys.stderr)
    print(json.dumps(line))
    return 1 if failed(line) or code else 0


@asynccontextmanager
async def _place() -> AsyncIterator[tuple[DaemonFolder, str]]:
    async with AsyncExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0))
        pages = {"/": SiteAnswer(SHOP), "/style": SiteAnswer("p {}", content_type="text/css")}
        site = await Site(dict(pages)).serve(listener)
        stack.push_async_callback(site.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        module = write_module(folder, "test.soak", BODY, egress=["shop.test"])
        here = await stack.enter_async_context(place(module))
        yield here, f"127.0.0.1:{listener.getsockname()[1]}"
