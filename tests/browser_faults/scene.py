"""One worker with one runner, its tenant, its profiles on a small disk, and the site."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place, write_module
from pw_daemon.processes import below

from browser_faults.origin import FaultOrigin, fault_origin
from pageworker_supervisor.admin.status import RunnerReport

MIB = 1024**2
MEMORY_BYTES = 640 * MIB
POPUP_BYTES = 4 * MIB
"""What a popup of a small page takes in all processes of a runner."""
SCRATCH_BYTES = 32 * MIB
DISK_BYTES = 96 * MIB
LARGE_BYTES = 2 * 1024 * MIB
ANSWER_SECONDS = 240.0
PROFILE = "buyer"
HOME = "http://app.localhost/app"
"""A trustworthy origin: only there a page has service workers."""
MODULE = f"""
if payload["do"] == "wait" and context.attempt > 1:
    return {{"cookie": "", "title": "again", "pages": 1}}
await page.goto("{HOME}")
match payload["do"]:
    case "clean" | "wait":
        found = {{"title": await page.title(), "pages": len(page.context.pages)}}
        found["cookie"] = await page.evaluate("document.cookie")
        if payload["do"] == "clean":
            return found
        await page.evaluate("fetch('/at-work')")
        await asyncio.sleep(60)
    case "login":
        await page.goto("/login".join("{HOME}".rsplit("/app", 1)))
    case "memory":
        await page.evaluate('''async () => {{
            window.kept = [];
            for (;;) {{ kept.push(new Uint8Array(16 << 20).fill(1)); await new Promise(next => setTimeout(next)); }}
        }}''')
    case "popups":
        opens = "count => {{ for (let n = 0; n < count; n++) window.open('/app') }}"
        await page.evaluate(opens, payload["count"])
        while len(page.context.pages) <= payload["count"]:
            await page.context.wait_for_event("page")
        return {{"pages": len(page.context.pages)}}
    case "download":
        async with page.expect_download() as started:
            await page.evaluate("location.href = '/large'")
        return {{"failure": await (await started.value).failure()}}
    case "service_worker":
        await page.evaluate('''async () => {{
            await navigator.serviceWorker.register("/worker.js");
            await navigator.serviceWorker.ready;
            if (!navigator.serviceWorker.controller)
                await new Promise(done => navigator.serviceWorker.oncontrollerchange = done);
            window.held = fetch("/held");
        }}''')
    case "writes":
        first = context.attempt == 1
        for number in range(payload["rounds"] if first else 0):
            await page.evaluate('''number => {{
                document.cookie = "n" + number % 50 + "=" + "x".repeat(100) + "; max-age=9999";
                localStorage.setItem("k" + number % 200, String(number).repeat(2000));
            }}''', number)
            if number == 20:
                await page.evaluate("fetch('/at-work')")
        return {{"cookie": await page.evaluate("document.cookie")}}
return {{}}
"""
"""payload `do`: what the job does to its browser; `count`, `rounds`: how often."""


PROBE = f"""

async def login_probe(page, helpers, context):
    await page.goto("{HOME}")
    return "authenticated" if await page.evaluate("document.cookie") else "needs_login"
"""


@dataclass
class FaultScene:
    """What a fault has at hand."""

    worker: DaemonProcess
    producer: Producer
    origin: FaultOrigin
    disk: Path | None
    """The small file system below the profiles. None: only root can mount one."""
    popups: int
    memory_bytes: int
    """Of a runner: enough for all of these popups."""
    _jobs: int = 0

    async def push(self, do: str, profile: str | None = None, *, timeout_seconds: float = 60, **payload: Any) -> str:
        """Push a job. Returns its id."""
        self._jobs += 1
        job_id = f"{do}-{self._jobs}"
        fields = {"profile_id": profile, "timeout_seconds": timeout_seconds, "max_retries": 1}
        await self.producer.push(self.producer.job(job_id, "test.fault", {"do": do, **payload}, **fields))
        return job_id

    async def result(self, job_id: str) -> dict[str, Any]:
        """Of this job."""
        while job_id not in self.producer.results:
            await self.producer.collect(len(self.producer.results) + 1, ANSWER_SECONDS)
        return self.producer.results[job_id]

    async def run(self, do: str, profile: str | None = None, **given: Any) -> dict[str, Any]:
        """Push a job and wait for its result."""
        return await self.result(await self.push(do, profile, **given))

    async def clean(self, profile: str | None = None) -> str:
        """A clean job: it succeeds at once, on a page of its own. Returns the cookie that it finds."""
        result = await self.run("clean", profile)
        assert (result["status"], len(result["attempts"])) == ("succeeded", 1), result
        assert (result["data"]["title"], result["data"]["pages"]) == ("app", 1), result
        return str(result["data"]["cookie"])

    async def login(self) -> str:
        """What Redis has of the login of PROFILE; "" while it has nothing."""
        key = f"pw:{{0}}:profile_login:acme/{PROFILE}"
        ask: Callable[..., Awaitable[Any]] = self.producer.redis.execute_command
        state = await ask("HGET", key, "state")
        return state.decode() if state else ""

    async def at_work(self) -> RunnerReport:
        """The runner, once its job is in the middle of its fault."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.origin.at_work.wait()
        self.origin.at_work.clear()
        (runner,) = (each for each in self.worker.status().runners if each.pid and sum(each.pages.values()))
        return runner

    def profile(self, name: str) -> Path:
        """The browser's folder."""
        return self.worker.data_dir / "profiles/acme" / name / "data"


def signal_browser(runner: RunnerReport, number: signal.Signals) -> dict[int, str]:
    """Send a signal to the browser's first process. Returns the whole tree of the runner."""
    assert runner.pid
    tree = below(runner.pid)
    (victim,) = (pid for pid, line in tree.items() if "--remote-debugging-pipe" in line and "--type=" not in line)
    os.kill(victim, number)
    return {runner.pid: "", **tree}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of DISK_BYTES at `folder`."""
    if os.geteuid() != 0:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=711", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """No byte is free on the disk in the block."""
    filler = disk / ".filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


@asynccontextmanager
async def fault_scene(popups: int) -> AsyncIterator[FaultScene]:
    """One for the block, with a profile that has logged in. `popups`: of the fault of that name."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin = await stack.enter_async_context(fault_origin(LARGE_BYTES))
        module = write_module(
            folder, "test.fault", MODULE, egress=["app.localhost"], more_toml="\nlogin_probe = true\n"
        )
        with (module / "test_fault/__init__.py").open("a") as source:
            source.write(PROBE)
        here = await stack.enter_async_context(place(module))
        (here.folder / "w1").mkdir()
        memory_bytes = MEMORY_BYTES + popups * POPUP_BYTES
        disk = stack.enter_context(small_disk(here.folder / "w1/profiles"))
        worker = stack.enter_context(
            here.worker(
                browser=HEADLESS_SHELL,
                # With one runner, a job of another context closes the browser before.
                pool={"runners": 1, "pages": 1, "residency_seconds": 0.1},
                sandbox={"memory_bytes": memory_bytes, "scratch_bytes": SCRATCH_BYTES},
                egress={"hosts": {"app.localhost": origin.address}},
                jobs={"retry_base_seconds": 0.1},
            )
        )
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        scene = FaultScene(worker, producer, origin, disk, popups, memory_bytes)
        assert (await scene.run("login", PROFILE))["status"] == "succeeded"
        yield scene
        assert worker.terminate() == 0
