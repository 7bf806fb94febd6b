"""Egress budgets through a whole worker with a real browser: cut at the budget, final, and for one job alone."""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place, write_module
from pw_servers.certificates import Certificates
from pw_servers.weighing_site import BIG, WeighingSite, weighing_site

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(180),
]

LOAD = """
left = []
for path in payload["paths"]:
    try:
        # A document that is cut never ends loading: the attempt ends at the cut, long before this time.
        await page.goto(payload["site"] + path, timeout=60_000)
    except BaseException as error:
        left.append(str(error))
        if not payload.get("stubborn"):
            raise
while payload.get("endless"):
    try:
        await asyncio.sleep(60)
    except BaseException:
        pass
if payload.get("crash"):
    import os
    os._exit(7)
if payload.get("retry") and context.attempt == 1:
    raise RetryLater("once more", delay_seconds=0)
if payload.get("wait"):
    await asyncio.sleep(payload["wait"])
return {"title": await page.title(), "failed": left}
"""
BUDGET = 500_000
CUT = 64 * 1024
"""Bytes. The traffic of a page that is cut differs from its budget by at most this number."""
HOSTS = ("plain.test", "secure.test")
MODULES = {"test.bytes": {"budget_bytes": BUDGET}, "test.requests": {"budget_requests": 3}, "test.free": {}}
HTTP, HTTPS = "http://plain.test", "https://secure.test"


@dataclass
class BudgetWorker:
    """One worker with two runners of two pages."""

    daemon: DaemonProcess
    producer: Producer
    sites: dict[str, WeighingSite]

    async def run(self, job_id: str, module: str, site: str, *paths: str, **payload: Any) -> dict[str, Any]:
        """The result of one job."""
        await self.push(job_id, module, site, *paths, **payload)
        return await self.result(job_id)

    async def push(self, job_id: str, module: str, site: str, *paths: str, **payload: Any) -> None:
        """Push a job that loads these paths, one after the other."""
        await self.producer.push(
            self.producer.job(job_id, module, {"site": site, "paths": paths, **payload}, max_retries=3)
        )

    async def result(self, job_id: str) -> dict[str, Any]:
        """Of this job."""
        while job_id not in self.producer.results:
            await self.producer.collect(len(self.producer.results) + 1, 90)
        return self.producer.results[job_id]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BudgetWorker]:
    folder = tmp_path_factory.mktemp("budgets")
    certificates = Certificates.make(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    modules = [
        write_module(folder, name, LOAD, {"hosts": list(HOSTS), **budget}, {"ignore_https_errors": True})
        for name, budget in MODULES.items()
    ]
    async with weighing_site(None) as plain, weighing_site(context) as secure, place(*modules) as here:
        sites = {"plain.test": plain, "secure.test": secure}
        settings: dict[str, Any] = {
            "browser": HEADLESS_SHELL,
            "pool": {"runners": 2, "pages": 2},
            "egress": {"hosts": {host: f"127.0.0.1:{site.port}" for host, site in sites.items()}},
            "jobs": {"retry_base_seconds": 0.01},
        }
        async with aclosing(Producer(here.redis.url)) as producer:
            with here.worker(**settings) as daemon:
                yield BudgetWorker(daemon, producer, sites)


def over(result: dict[str, Any], budget: str, limit: int) -> int:
    """What a job has used that ended for its budget."""
    error = result["error"]
    assert (result["status"], error["type"], error["retryable"]) == ("failed", "egress_budget", False)
    assert (error["detail"]["budget"], error["detail"]["limit"]) == (budget, limit)
    usage = result["usage"]
    used: int = usage["bytes_in"] + usage["bytes_out"] if budget == "bytes" else usage["requests"]
    assert error["detail"]["used"] == used
    return used


@pytest.mark.parametrize("site", [HTTP, HTTPS])
async def test_a_page_past_its_budget_is_cut_and_its_job_ends_for_good(worker: BudgetWorker, site: str) -> None:
    """Each job has its own budget, whatever its runner had before: two of the three jobs have the same one."""
    cuts = [await worker.run(f"cut-{site[:5]}-{n}", "test.bytes", site, "/big") for n in range(3)]
    for cut in cuts:
        assert BUDGET - CUT <= over(cut, "bytes", BUDGET) <= BUDGET + CUT
        assert len(cut["attempts"]) == 1
    assert len({cut["runner_id"] for cut in cuts}) <= 2
    within = await worker.run(f"within-{site[:5]}", "test.bytes", site, "/half")
    assert (within["status"], within["data"]["title"]) == ("succeeded", "/half")


@pytest.mark.parametrize("module", [{}, {"stubborn": True}, {"stubborn": True, "endless": True}])
@pytest.mark.parametrize("site", [HTTP, HTTPS])
async def test_an_attempt_ends_within_a_second_of_the_cut_whatever_its_module_does(
    worker: BudgetWorker, site: str, module: dict[str, bool]
) -> None:
    job_id = f"ends-{site[:5]}-{'-'.join(module)}"
    result = await worker.run(job_id, "test.bytes", site, "/big", **module)
    assert BUDGET - CUT <= over(result, "bytes", BUDGET) <= BUDGET + CUT
    (attempt,) = result["attempts"]
    began = dt.datetime.fromisoformat(attempt["started_at"])
    refused = [line for line in worker.daemon.log() if line.get("reason") == "budget_exhausted"]
    cut = min(at for line in refused if (at := dt.datetime.fromisoformat(line["ts"])) > began)
    left = began + dt.timedelta(seconds=attempt["duration_seconds"]) - cut
    print(f"{job_id}: {left.total_seconds():.3f} s from the cut to the end")
    assert left <= dt.timedelta(seconds=1)


async def test_a_module_that_goes_on_gets_nothing_more_and_fails_all_the_same(worker: BudgetWorker) -> None:
    asked = worker.sites["plain.test"].asked
    asked.clear()
    paths = ("/half", "/big", "/small", "/small?2")
    went_on = await worker.run("stubborn", "test.bytes", HTTP, *paths, stubborn=True)
    assert over(went_on, "bytes", BUDGET) <= BUDGET + CUT
    assert went_on["data"] is None
    assert [path for path in asked if path != "/favicon.ico"] == ["/half", "/big"]
    log = worker.daemon.log()
    refused = [line for line in log if line["message"] == "egress refused" and line["reason"] == "budget_exhausted"]
    assert {line["host"] for line in refused} >= {"plain.test"}
    lines = worker.daemon.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("pageworker_egress_refusals") and "budget_exhausted" in line]
    assert float(counted[0].rpartition(" ")[2]) >= 3


async def test_earlier_attempts_count(worker: BudgetWorker) -> None:
    result = await worker.run("retried", "test.bytes", HTTP, "/half", retry=True)
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["failed", "failed"]
    assert BUDGET - CUT <= over(result, "bytes", BUDGET) <= BUDGET + CUT


async def test_a_job_that_ends_with_its_runner_after_the_cut_is_not_tried_again(worker: BudgetWorker) -> None:
    result = await worker.run("crashed", "test.bytes", HTTP, "/big", stubborn=True, crash=True)
    assert BUDGET - CUT <= over(result, "bytes", BUDGET) <= BUDGET + CUT
    assert len(result["attempts"]) == 1


async def test_requests_have_a_budget(worker: BudgetWorker) -> None:
    """The page itself succeeds: its images are too many. They are asked for at the same time, and the first that is too
    many cuts those that are on their way."""
    asked = worker.sites["plain.test"].asked
    asked.clear()
    result = await worker.run("images", "test.requests", HTTP, "/images")
    assert over(result, "requests", 3) > 3
    assert len(asked) <= 3
    assert len(result["attempts"]) == 1
    few = ("/small", "/small?2", "/small?3")
    assert (await worker.run("few", "test.requests", HTTP, *few))["status"] == "succeeded"
    asked.clear()
    assert over(await worker.run("many", "test.requests", HTTP, *few, "/small?4"), "requests", 3) == 4
    assert asked == list(few)


async def test_neighbours_share_a_runner_and_no_budget(worker: BudgetWorker) -> None:
    """Two jobs at a time on the pages of one runner, while jobs of the same tenant go past their budgets on another."""
    free = [f"free-{n}" for n in range(4)]
    held = [f"held-{n}" for n in range(4)]
    for name, other in zip(free, held, strict=True):
        await worker.push(name, "test.free", HTTP, "/big", wait=0.5)
        await worker.push(other, "test.bytes", HTTP, "/big")
    neighbours = [await worker.result(name) for name in free]
    for other in held:
        assert over(await worker.result(other), "bytes", BUDGET) <= BUDGET + CUT
    assert [(one["status"], one["data"]) for one in neighbours] == [("succeeded", {"title": "/big", "failed": []})] * 4
    assert sum(one["usage"]["bytes_in"] for one in neighbours) > 4 * BIG
    budgeted_runners = {(await worker.result(other))["runner_id"] for other in held}
    assert not budgeted_runners & {one["runner_id"] for one in neighbours}
