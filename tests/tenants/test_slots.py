"""Runner slots and starts: no runner is replaced without need, and a broken host costs no job an attempt."""

import asyncio
import ctypes
import errno
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pw_tenants
import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL
from pw_daemon.processes import below
from pw_tenants import Home, Tenant, home_with

pytestmark = pw_tenants.MARKS
PIDFD_GETFD = 438
"""Python has no call for it. Source: pidfd_getfd(2)."""


@asynccontextmanager
async def with_tenants(count: int, **settings: Any) -> AsyncIterator[tuple[Home, list[Tenant]]]:
    """A home with `count` tenants beside the usual ones."""
    names = [f"turn-{number}" for number in range(count)]
    async with home_with(tenants={name: {"weight": 1.0} for name in names}, **settings) as opened:
        yield opened, [opened.tenants[name] for name in names]


def started(home: Home, tenant: Tenant | None = None) -> int:
    """Browsers that were started so far, of one tenant or of all."""
    ready = [line for line in home.daemon.log() if line.get("message") == "runner is ready"]
    return sum(tenant is None or line.get("tenant_id") == tenant.name for line in ready)


async def one_at_a_time(home: Home, tenant: Tenant, jobs: int, pause_seconds: float = 0.0) -> None:
    """A producer that pushes its next job when the last one is answered, and so much later."""
    for _ in range(jobs):
        assert (await tenant.run(home.fresh(tenant.name)))["status"] == "succeeded"
        await asyncio.sleep(pause_seconds)


async def all_at_once(home: Home, tenants: list[Tenant], jobs: int, pause_seconds: float = 0.0) -> None:
    """Run several such producers at once."""
    async with asyncio.TaskGroup() as tasks:
        for tenant in tenants:
            tasks.create_task(one_at_a_time(home, tenant, jobs, pause_seconds))


async def test_two_tenants_with_one_job_each_keep_their_runners() -> None:
    """A and B have a job each at a time on two runners of one page: a page being recycled starts no runner."""
    async with home_with(pool={"runners": 2, "pages": 1}) as home:
        await all_at_once(home, [home.a, home.b], 30)
        assert (started(home, home.a), started(home, home.b)) == (1, 1)


async def test_five_tenants_that_take_turns_on_four_runners() -> None:
    """Five tenants with a job each now and then share four runners: few starts, and every tenant gets a slot."""
    async with with_tenants(5, pool={"runners": 4, "pages": 4}) as (home, tenants):
        await all_at_once(home, tenants, 12, 0.4)
        # Each job used to cost a start once another tenant waited: 100 for 200 jobs.
        assert started(home) <= 12
        assert all(started(home, tenant) for tenant in tenants)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home() -> AsyncIterator[Home]:
    """A worker with two runners of two pages."""
    async with home_with(pool={"runners": 2, "pages": 2}) as opened:
        yield opened


async def test_a_cannot_have_bs_runner_replaced_again_and_again(home: Home) -> None:
    """A opens one profile after the other while B has a job at a time; B's runner stays for most of B's jobs."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one_at_a_time(home, home.b, 12, 0.3))
        for number in range(6):
            assert (await home.a.run(home.fresh("hop"), profile_id=f"hop-{number}"))["status"] == "succeeded"
    assert started(home, home.b) <= 3


async def test_a_flood_of_one_tenant_leaves_another_its_turn(home: Home) -> None:
    """A's jobs keep both runners busy for long; B's job gets a slot once one of them has had its time."""
    flood = [home.fresh("flood") for _ in range(200)]
    await home.a.push(*(home.a.say(job_id, {"seconds": 1.2}) for job_id in flood))
    await home.a.result(flood[0])
    began = time.monotonic()
    assert (await home.b.run(home.fresh("turn")))["status"] == "succeeded"
    assert time.monotonic() - began < 35.0, "twenty seconds at most, a busy host, and the start of its own"
    for job_id in flood:
        await home.queue.inspection.cancel(home.a.ref(job_id))
    for job_id in flood:
        await home.a.result(job_id)


async def test_jobs_of_a_module_that_does_not_exist_replace_no_runner(home: Home) -> None:
    """A pushes jobs for modules that do not exist; no browser is started for them, and B's runner stays."""
    await home.b.run(home.fresh("warm"))
    before = started(home)
    ids = [home.fresh("no-module") for _ in range(8)]
    await home.a.push(*(home.a.job(job_id, "no.such.module") for job_id in ids))
    for job_id in ids:
        assert (await home.a.result(job_id))["error"]["type"] == "module_unknown"
    assert started(home) == before


async def test_a_runner_without_a_way_out_is_replaced_and_no_other(home: Home) -> None:
    """A's runner loses its egress listener with a job on it; that runs again, uncharged, and B's goes on."""
    await home.b.run(home.fresh("first"))
    with gateway_sockets(home.daemon.pid) as sockets:
        before = sockets()
        mine, theirs = home.fresh("out"), home.fresh("beside")
        await home.b.push(home.b.say(theirs, {"seconds": 6}))
        await home.a.push(home.a.say(mine, {"seconds": 4}, profile_id="out"))
        await home.working(home.a.ref(mine), home.b.ref(theirs))
        async with asyncio.timeout(20):
            while not (new := [sock for inode, sock in sockets().items() if inode not in before and listens(sock)]):
                await home.turn()
            while not any(runner.pages["running"] for runner in home.daemon.status().runners if runner.profile_id):
                await home.turn()
        new[0].shutdown(socket.SHUT_RDWR)
    result = await home.a.result(mine)
    assert (result["status"], len(result["attempts"])) == ("succeeded", 1), "nothing was charged"
    assert len((await home.b.result(theirs))["attempts"]) == 1
    assert started(home, home.a) >= 2
    dismissed = [line for line in home.daemon.log() if line.get("message") == "runner is dismissed"]
    assert {line["tenant_id"] for line in dismissed} == {home.a.name}


async def test_a_drain_that_leaves_both_tenants_jobs_says_so(home: Home) -> None:
    """A's and B's jobs outlast a drain's deadline: it ends with 5, without `done`, and both run after the resume."""
    ids = {tenant.name: home.fresh("long") for tenant in (home.a, home.b)}
    for tenant in (home.a, home.b):
        await tenant.push(tenant.say(ids[tenant.name], {"seconds": 8}))
    await home.working(*(tenant.ref(ids[tenant.name]) for tenant in (home.a, home.b)))
    code, said = await home.workerctl("drain", "--deadline-seconds", "0.5")
    assert code == 5, said
    words = Counter(line.split()[0] for line in said.splitlines())
    assert (words["waiting"], words["requeued"], words["deadline"], words["done"]) == (2, 2, 1, 0)
    assert (await home.workerctl("resume"))[0] == 0
    for tenant in (home.a, home.b):
        assert len((await tenant.result(ids[tenant.name]))["attempts"]) == 1


async def test_a_host_on_which_no_browser_starts_charges_no_job() -> None:
    """The browser is broken: A's and B's jobs wait, visibly and uncharged, and run when it is mended."""
    async with AsyncExitStack() as stack:
        home, browser = await broken_browser(stack)
        ids = {tenant.name: home.fresh("waits") for tenant in (home.a, home.b)}
        for tenant in (home.a, home.b):
            await tenant.push(tenant.say(ids[tenant.name], max_retries=0))
        answer = await until_not_ready(home)
        assert "no browser starts here" in answer["reason"]
        assert home.daemon.status().reason == answer["reason"]
        async with asyncio.timeout(30):
            while not any(view.why for view in await home.jobs()):
                await home.turn()
        _, said = await home.workerctl("jobs")
        assert "no browser starts on" in said
        assert home.daemon.status().jobs == ()
        browser.unlink()
        browser.symlink_to(HEADLESS_SHELL["executable"])
        for tenant in (home.a, home.b):
            result = await tenant.result(ids[tenant.name], 60)
            assert (result["status"], len(result["attempts"])) == ("succeeded", 1)
        assert home.daemon.get("/readyz").status_code == 200


async def test_another_worker_takes_what_a_broken_one_hands_back() -> None:
    """On one of two workers no browser starts: A's and B's jobs all run on the other, uncharged."""
    async with AsyncExitStack() as stack:
        home, _ = await broken_browser(stack)
        ids = [(tenant, home.fresh("moves")) for tenant in (home.a, home.b) for _ in range(3)]
        for tenant, job_id in ids:
            await tenant.push(tenant.say(job_id, max_retries=0))
        await until_not_ready(home)
        with home.worker("w2", browser=HEADLESS_SHELL) as other:
            for tenant, job_id in ids:
                result = await tenant.result(job_id, 60)
                assert (result["status"], result["worker_id"], len(result["attempts"])) == ("succeeded", "w2", 1)
            assert other.get("/readyz").status_code == 200
        assert home.daemon.get("/readyz").status_code == 503


async def broken_browser(stack: AsyncExitStack) -> tuple[Home, Path]:
    """A home whose browser is a link to a program that does nothing, and the link."""
    link = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "browser"
    link.symlink_to("/bin/true")
    home = await stack.enter_async_context(home_with(browser={"executable": str(link)}))
    return home, link


async def until_not_ready(home: Home) -> dict[str, Any]:
    """What `/readyz` says once it says 503."""
    async with asyncio.timeout(30):
        while (answer := await asyncio.to_thread(home.daemon.get, "/readyz")).status_code != 503:
            await home.turn()
    found: dict[str, Any] = answer.json()
    return found


@contextmanager
def gateway_sockets(pid: int) -> Iterator[Any]:
    """A call that brings copies of the sockets that the worker's egress gateway has now, by inode."""
    lines = below(pid).items()
    (gateway,) = [child for child, line in lines if "pageworker_sandbox.egress" in line and "bwrap" not in line]
    descriptor = os.pidfd_open(gateway)
    copies: list[socket.socket] = []

    def now() -> dict[str, socket.socket]:
        found = {}
        for entry in Path(f"/proc/{gateway}/fd").iterdir():
            with suppress(FileNotFoundError):  # It was closed since the folder was listed.
                if not (name := str(entry.readlink())).startswith("socket:"):
                    continue
                copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, descriptor, int(entry.name), 0)
                if copy < 0 and ctypes.get_errno() == errno.EBADF:
                    continue
                if copy < 0:
                    pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
                found[name] = socket.socket(fileno=copy)
        copies.extend(found.values())
        return found

    try:
        yield now
    finally:
        for copy in copies:
            copy.close()
        os.close(descriptor)


def listens(sock: socket.socket) -> bool:
    return sock.family == socket.AF_INET and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
