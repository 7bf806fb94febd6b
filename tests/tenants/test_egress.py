"""A module reaches its own hosts and no others, whatever ran in its tenant, in its profile or on its worker before."""

import asyncio
import datetime as dt
import json
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place, write_module
from pw_queue import plain_client
from pw_runner.site import Request, Site, SiteAnswer

from pageworker_supervisor.contract.context_key import egress_digest
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.redis_client import Router

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(180),
]

SEVERAL = """
import builtins
# The error page of a failed navigation has no cookies.
COOKIE = "() => { try { return document.cookie } catch { return null } }"
ways = {
    "page": lambda url: page.goto(url),
    "popup": lambda url: page.evaluate("u => new Promise(done => { open(u); setTimeout(done, 500) })", url),
    "frame": lambda url: page.evaluate(
        "u => new Promise(done => { const f = document.createElement('iframe'); f.onload = done; f.src = u;"
        " document.body.append(f) })", url),
    "request": lambda url: page.request.get(url),
    "context": lambda url: page.context.request.get(url),
    "fetch": lambda url: page.evaluate("u => fetch(u, {mode: 'no-cors'}).catch(String)", url),
    "worker": lambda url: page.evaluate(
        "u => new Promise(done => { const code = `fetch('${u}', {mode: 'no-cors'}).catch(String)"
        ".then(() => postMessage(1))`; const w = new Worker(URL.createObjectURL(new Blob([code])));"
        " w.onmessage = done })", url),
    "socket": lambda url: page.evaluate(
        "u => new Promise(done => { const s = new WebSocket(u.replace('http', 'ws')); s.onclose = done })", url),
    "beacon": lambda url: page.evaluate("u => { navigator.sendBeacon(u, 'x') }", url),
    "download": lambda url: page.evaluate(
        "u => new Promise(done => { const a = document.createElement('a'); a.href = u; a.download = 'x';"
        " document.body.append(a); a.click(); setTimeout(done, 500) })", url),
    "image": lambda url: page.evaluate(
        "u => new Promise(done => { const i = new Image(); i.onload = i.onerror = done; i.src = u })", url),
}
if payload.get("home"):
    await page.goto(payload["home"])
if "leave" in payload:
    builtins.left_here = payload["leave"]
    await page.evaluate("u => { setInterval(() => fetch(u, {mode: 'no-cors'}).catch(String), 20) }", payload["url"])
    async def later():
        while True:
            await asyncio.sleep(0.02)
            try:
                await page.context.request.get(payload["url"])
            except Exception:
                pass
    asyncio.get_running_loop().create_task(later())
for way in payload.get("ways", ()):
    try:
        async with asyncio.timeout(5):
            await ways[way](payload["url"])
    except Exception:
        pass
await asyncio.sleep(payload.get("seconds", 0))
return {"left": getattr(builtins, "left_here", None), "cookie": await page.evaluate(COOKIE)}
"""
WAYS = ("page", "popup", "frame", "request", "context", "fetch", "worker", "socket", "beacon", "download", "image")
A, B, BOTH = "a.test", "b.test", "both.test"


@dataclass
class EgressWorker:
    """One worker with modules of different hosts, the hosts, and two tenants' producers."""

    daemon: DaemonProcess
    site: Site
    acme: Producer
    rival: Producer
    port: int

    def asked(self, host: str, path: str) -> int:
        """How often this host was asked for a path."""
        return sum(request.headers.get("host", "").partition(":")[0] == host for request in self.site.requested(path))

    async def run(self, producer: Producer, job_id: str, module: str, payload: dict[str, Any], **fields: Any) -> Any:
        """The result of one job."""
        await producer.push(producer.job(job_id, module, payload, **fields))
        (result,) = await self.results(producer, job_id)
        return result

    async def results(self, producer: Producer, *job_ids: str) -> list[dict[str, Any]]:
        """Of these jobs, in this order."""
        while missing := sum(job_id not in producer.results for job_id in job_ids):
            await producer.collect(len(producer.results) + missing, 90)
        return [producer.results[job_id] for job_id in job_ids]

    def starts(self, **about: str | None) -> int:
        """How many runners of a context have come up so far."""
        ready = (line for line in self.daemon.log() if line.get("message") == "runner is ready")
        return sum(all(line.get(name) == value for name, value in about.items()) for line in ready)


def cookie(request: Request) -> SiteAnswer:
    return SiteAnswer("<title>set</title>", headers=("Set-Cookie: seen=yes; Max-Age=3600; Path=/",))


class Versions:
    """Folders of one module in two versions."""

    @staticmethod
    def write(folder: Path, version: str, host: str) -> Path:
        module = write_module(folder / version, "test.changes", SEVERAL, egress=[host])
        manifest = module / "module.toml"
        manifest.write_text(manifest.read_text().replace("1.0.0", version))
        return module


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EgressWorker]:
    folder = tmp_path_factory.mktemp("modules")
    modules = [
        write_module(folder, "test.a", SEVERAL, egress=[A, BOTH]),
        write_module(folder, "test.b", SEVERAL, egress=[B, BOTH]),
        write_module(folder, "test.b2", SEVERAL, egress=[BOTH, "B.test."]),
        write_module(folder, "test.nothing", SEVERAL),
        *(write_module(folder, f"test.set{n}", SEVERAL, egress=[f"set{n}.test"]) for n in range(6)),
        Versions.write(folder, "1.0.0", A),
        Versions.write(folder, "2.0.0", B),
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    site = await Site({"/home": SiteAnswer("<title>home</title>"), "/cookie": cookie}).serve(listener)
    hosts = dict.fromkeys((A, B, BOTH, *(f"set{n}.test" for n in range(6))), address)
    try:
        async with place(*modules) as home:
            settings: dict[str, Any] = {
                "browser": HEADLESS_SHELL,
                "pool": {"runners": 3, "pages": 3},
                "egress": {"hosts": hosts},
            }
            with home.worker(**settings) as daemon:
                async with (
                    aclosing(Producer(home.redis.url)) as acme,
                    aclosing(Producer(home.redis.url, "rival")) as rival,
                ):
                    yield EgressWorker(daemon, site, acme, rival, home.redis.port)
    finally:
        await site.close()


@pytest.mark.parametrize("way", WAYS)
async def test_a_module_does_not_reach_the_hosts_of_another_one_of_its_tenant(worker: EgressWorker, way: str) -> None:
    """Module A tries module B's host by each way a page has, after B ran in the same tenant; B's host hears nothing."""
    theirs = {"home": f"http://{B}/home", "url": f"http://{B}/{way}-own", "ways": [way]}
    assert (await worker.run(worker.acme, f"own-{way}", "test.b", theirs))["status"] == "succeeded"
    assert worker.asked(B, f"/{way}-own") > 0, "the way works"
    ours = {"home": f"http://{A}/home", "url": f"http://{B}/{way}-foreign", "ways": [way]}
    await worker.run(worker.acme, f"foreign-{way}", "test.a", ours)
    assert worker.asked(B, f"/{way}-foreign") == 0


async def test_a_module_without_hosts_reaches_none(worker: EgressWorker) -> None:
    """A module that names no host tries those of its tenant's other modules, in three jobs at once."""
    jobs = {f"none-{host}": {"url": f"http://{host}/none", "ways": WAYS} for host in (A, B, BOTH)}
    await worker.acme.push(*(worker.acme.job(job_id, "test.nothing", payload) for job_id, payload in jobs.items()))
    results = await worker.results(worker.acme, *jobs)
    assert {result["status"] for result in results} == {"succeeded"}
    assert [worker.asked(host, "/none") for host in (A, B, BOTH)] == [0, 0, 0]


async def test_what_a_module_left_behind_reaches_nothing_while_another_one_works(worker: EgressWorker) -> None:
    """Module A leaves a task and a timer that ask for B's host; B's job, which runs there, does not let them
    through."""
    left = {"home": f"http://{A}/home", "url": f"http://{B}/leftover", "leave": "A was here"}
    await worker.run(worker.acme, "leaves", "test.a", left)
    stays = {"home": f"http://{B}/home", "url": f"http://{B}/stays", "ways": ["page"], "seconds": 1.5}
    result = await worker.run(worker.acme, "stays", "test.b", stays)
    assert result["status"] == "succeeded"
    assert result["data"]["left"] is None, "it has an interpreter of its own"
    assert worker.asked(B, "/stays") == 1
    assert worker.asked(B, "/leftover") == 0


async def test_modules_with_the_same_hosts_share_a_runner_however_they_are_written(worker: EgressWorker) -> None:
    """Sets are compared, not lists: B's other module costs its tenant no browser."""
    await worker.run(worker.acme, "same-1", "test.b", {})
    result = await worker.run(worker.acme, "same-2", "test.b2", {})
    assert result["runner_id"] == worker.acme.results["same-1"]["runner_id"]


async def test_versions_of_one_module_with_other_hosts_do_not_share_their_reach(worker: EgressWorker) -> None:
    """The pinned old version tries the new one's host, the new one the old one's."""
    for version, own, foreign in (("2.0.0", B, A), ("1.0.0", A, B), ("2.0.0", B, A)):
        payload = {"url": f"http://{foreign}/version-{version}", "ways": ["request"], "home": f"http://{own}/home"}
        result = await worker.run(
            worker.acme, f"v{version}-{own}-{len(worker.acme.results)}", f"test.changes@{version}", payload
        )
        assert result["status"] == "succeeded"
        assert worker.asked(foreign, f"/version-{version}") == 0


async def test_a_job_queued_for_another_modules_set_runs_with_its_own(worker: EgressWorker) -> None:
    """A's jobs are in the queue with B's set, and with a set that no tenant has; A reaches its own hosts only."""
    client = plain_client(worker.port)
    queue = QueueClient(Router(client, client))
    texts = {
        name: worker.acme.job(name, "test.a", {"home": f"http://{A}/home", "url": f"http://{B}/lied", "ways": WAYS[:5]})
        for name in ("lie-b", "lie-none")
    }
    sets = {"lie-b": egress_digest([B, BOTH]), "lie-none": "0" * 12}
    await worker.run(worker.acme, "warm-b", "test.b", {"home": f"http://{B}/home"})
    for name, text in texts.items():
        job = parse_job(text.encode())
        await queue.producer.enqueue(
            [NewJob(job_id=job.job_id, tenant_id=job.tenant_id, body=text.encode(), egress=sets[name])]
        )
    await client.aclose()
    for result in await worker.results(worker.acme, *texts):
        assert result["status"] == "succeeded"
    assert worker.asked(A, "/home") > 0
    assert worker.asked(B, "/lied") == 0


def spans(results: list[dict[str, Any]]) -> list[tuple[float, float]]:
    found = []
    for result in results:
        assert result["status"] == "succeeded", result
        last = result["attempts"][-1]
        begin = dt.datetime.fromisoformat(last["started_at"]).timestamp()
        found.append((begin, begin + last["duration_seconds"]))
    return found


async def test_in_a_shared_profile_one_set_waits_for_the_other(worker: EgressWorker) -> None:
    """Jobs of two modules on one profile never run at one moment, neither reaches the other's host, both get done."""
    jobs = {f"shared-{n}-{module[-1]}": module for n in range(4) for module in ("test.a", "test.b")}
    texts = []
    for job_id, module in jobs.items():
        own, foreign = (A, B) if module == "test.a" else (B, A)
        payload = {"home": f"http://{own}/home", "url": f"http://{foreign}/shared", "ways": ["request"], "seconds": 0.2}
        texts.append(worker.acme.job(job_id, module, payload, profile_id="shared"))
    await worker.acme.push(*texts)
    ran = dict(zip(jobs, spans(await worker.results(worker.acme, *jobs)), strict=True))
    ours = [span for job_id, span in ran.items() if jobs[job_id] == "test.a"]
    theirs = [span for job_id, span in ran.items() if jobs[job_id] == "test.b"]
    assert not any(one[0] < other[1] and other[0] < one[1] for one in ours for other in theirs)
    assert worker.asked(A, "/shared") == worker.asked(B, "/shared") == 0
    assert worker.starts(tenant_id="acme", profile_id="shared") <= 4, "sets take turns by time, not by job"


async def test_a_profile_keeps_its_cookies_from_one_set_to_the_next(worker: EgressWorker) -> None:
    """Only the runner is another one: what A's page was given on a host of both, B's page still has."""
    await worker.run(worker.acme, "cookie-a", "test.a", {"home": f"http://{BOTH}/cookie"}, profile_id="jar")
    result = await worker.run(worker.acme, "cookie-b", "test.b", {"home": f"http://{BOTH}/home"}, profile_id="jar")
    assert result["data"]["cookie"] == "seen=yes"
    other = await worker.run(worker.rival, "cookie-r", "test.b", {"home": f"http://{BOTH}/home"}, profile_id="jar")
    assert other["data"]["cookie"] == "", "the other tenant's profile of that name is another one"


async def test_neither_set_of_a_busy_profile_starves(worker: EgressWorker) -> None:
    """Acme floods a profile with jobs of one set, without end; a single job of another set runs amid that."""
    own = {"home": f"http://{A}/home", "seconds": 0.3}
    flood: list[str] = []

    async def refill() -> None:
        """No fewer than 24 jobs of the flood wait or run."""
        missing = 24 - sum(job_id not in worker.acme.results for job_id in flood)
        if missing > 0:
            more = [f"flood-{len(flood) + n}" for n in range(missing)]
            flood.extend(more)
            await worker.acme.push(*(worker.acme.job(job_id, "test.a", own, profile_id="busy") for job_id in more))

    await refill()
    await worker.results(worker.acme, flood[0])
    await worker.acme.push(worker.acme.job("single", "test.b", {"home": f"http://{B}/home"}, profile_id="busy"))
    async with asyncio.timeout(90):
        while "single" not in worker.acme.results:
            await refill()
            await worker.acme.collect(len(worker.acme.results) + 1, 90)
    await worker.results(worker.acme, *flood)
    assert worker.starts(tenant_id="acme", profile_id="busy") <= 3


@pytest.mark.parametrize(("name", "module"), [("unknown", "test.unheard_of"), ("version", "test.a@9.9.9")])
async def test_no_browser_is_started_for_a_module_that_there_is_none_of(
    worker: EgressWorker, name: str, module: str
) -> None:
    """A tenant that never ran anything asks for unknown modules, in a profile too; no runner comes up for it."""
    before = worker.starts()
    for profile in (None, "fresh"):
        await worker.rival.push(
            json.dumps(
                {
                    "job_id": f"none-{name}-{profile}",
                    "tenant_id": "unknown",
                    "endpoint_module": module,
                    "profile_id": profile,
                }
            )
        )
        (result,) = await worker.results(worker.rival, f"none-{name}-{profile}")
        assert (result["status"], result["error"]["type"]) == ("rejected", "module_unknown")
    assert not [runner for runner in worker.daemon.status().runners if runner.tenant_id == "unknown"]
    assert worker.starts() == before


async def test_a_profile_that_was_locked_for_nothing_is_free_at_once(worker: EgressWorker) -> None:
    """A job that is rejected holds its profile no longer than it takes to say so."""
    await worker.run(worker.acme, "locks", "test.unheard_of", {}, profile_id="free")
    async with asyncio.timeout(20):
        result = await worker.run(worker.acme, "unlocked", "test.a", {"home": f"http://{A}/home"}, profile_id="free")
    assert result["status"] == "succeeded"


async def test_no_browser_is_started_for_a_payload_that_does_not_fit(worker: EgressWorker) -> None:
    """A tenant that never ran anything sends shop.product a payload of a wrong shape."""
    await worker.rival.push(
        json.dumps(
            {"job_id": "misfit", "tenant_id": "unknown", "endpoint_module": "shop.product", "payload": {"url": 7}}
        )
    )
    (result,) = await worker.results(worker.rival, "misfit")
    assert (result["status"], result["error"]["type"]) == ("rejected", "payload_invalid")
    assert worker.starts(tenant_id="unknown") == 0


async def test_a_tenant_with_many_sets_does_not_slow_another_one(worker: EgressWorker) -> None:
    """Acme's jobs alternate between six sets, each with a runner of its own; rival's runner stays."""

    async def rivals(name: str) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for n in range(15):
            await worker.run(worker.rival, f"{name}-{n}", "test.b", {"home": f"http://{B}/home", "seconds": 0.1})
        return loop.time() - began

    await worker.run(worker.rival, "rival-warm", "test.b", {})
    alone = await rivals("alone")
    before = worker.starts(tenant_id="rival")
    flap = [(f"flap-{n}", f"test.set{n % 6}") for n in range(36)]
    await worker.acme.push(
        *(worker.acme.job(job_id, module, {"home": f"http://{module[5:]}.test/home"}) for job_id, module in flap)
    )
    beside = await rivals("beside")
    again = worker.starts(tenant_id="rival") - before
    await worker.results(worker.acme, *(job_id for job_id, _ in flap))
    print(f"alone {alone:.2f} s, beside {beside:.2f} s, {again} starts; acme {worker.starts(tenant_id='acme')}")
    assert again <= 2
