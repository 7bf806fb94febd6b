"""Limits per domain: one host is one domain however it is written, and no tenant uses up the domain of another."""

import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_runner.site import Site, SiteAnswer

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(120),
]

SPELLINGS = {
    "idn": ("https://münchen.test/", "https://XN--MNCHEN-3YA.test./p"),
    "final-dot": ("https://dot.test./", "https://dot.test/"),
    "underscore": ("https://a_b.test/", "https://A_B.test/x"),
    "escaped": ("https://sh%6Fp.test/", "https://shop.test/"),
    "fullwidth": ("https://\uff57ide.test/", "https://wide.test/"),
    "address": ("http://127.1/", "http://0x7f000001:8080/"),
    "mapped": ("http://[::ffff:10.0.0.1]/", "http://10.0.0.1/"),
    "version-6": ("http://[::1]/", "http://[0:0:0:0:0:0:0:1]:81/"),
    "invalid": ("http://exa mple/", "http://exa mple/"),
    "no-scheme": ("bare.test/p/1", "http://bare.test/p/2"),
}
NAP_SECONDS = 0.3


class Closing:
    """`close` by the name that contextlib knows."""

    def __init__(self, origin: Site) -> None:
        self.aclose = origin.close


class Domains:
    """A worker with one permit per domain, and two producers."""

    def __init__(self, acme: Producer, rival: Producer) -> None:
        self.acme = acme
        self.rival = rival

    async def results(self, *job_ids: str) -> list[dict[str, Any]]:
        """Of these jobs, whichever tenant pushed them."""
        while missing := [job_id for job_id in job_ids if job_id not in self.acme.results]:
            await self.acme.collect(len(self.acme.results) + len(missing), 60)
        return [self.acme.results[job_id] for job_id in job_ids]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def domains(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Domains]:
    visits = write_module(
        tmp_path_factory.mktemp("modules"),
        "test.visit",
        'await page.goto(payload["url"])\nreturn {"title": await page.title()}',
        egress=["münchen.test.", "a_b.test"],
    )
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    origin = await Site({"/": SiteAnswer("<title>here</title>")}).serve(listener)
    async with aclosing(Closing(origin)), place(visits) as home:
        settings: dict[str, Any] = {
            "browser": HEADLESS_SHELL,
            "pool": {"runners": 2, "pages": 12},
            "domains": {"*": {"concurrency": 1}, "münchen.test.": {"concurrency": 1}},
            "egress": {"hosts": {"MÜNCHEN.test": address, "a_b.test.": address}},
        }
        with home.worker(**settings):
            async with aclosing(Producer(home.redis.url)) as acme, aclosing(Producer(home.redis.url, "rival")) as rival:
                yield Domains(acme, rival)


def spans(results: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """When each ran, in seconds, in order. By its own clock: the worker hears a little later that it began."""
    assert {result["status"] for result in results} == {"succeeded"}, results
    return sorted((begin, end) for begin, end in (result["data"]["span"] for result in results))


def overlap(results: list[dict[str, Any]]) -> bool:
    """Whether any two ran at one moment."""
    ran = spans(results)
    return any(later[0] < earlier[1] for earlier, later in itertools.pairwise(ran))


def nap(producer: Producer, job_id: str, **fields: Any) -> str:
    payload = {"seconds": NAP_SECONDS, **fields.pop("payload", {})}
    return producer.job(job_id, "test.nap", payload, **fields)


async def test_two_tenants_jobs_for_one_host_never_overlap_however_it_is_written(domains: Domains) -> None:
    for name, (one, other) in SPELLINGS.items():
        await domains.acme.push(nap(domains.acme, f"{name}-1", payload={"url": one}))
        await domains.rival.push(nap(domains.rival, f"{name}-2", payload={"url": other}))
    together = [name for name in SPELLINGS if overlap(await domains.results(f"{name}-1", f"{name}-2"))]
    assert together == []


async def test_a_declared_domain_does_not_use_up_the_domain_of_another_tenant(domains: Domains) -> None:
    claims = [f"claim-{number}" for number in range(6)]
    await domains.rival.push(*(nap(domains.rival, job_id, domain="victim.test") for job_id in claims))
    await domains.acme.push(nap(domains.acme, "honest", payload={"url": "https://victim.test/"}))
    begin, end = spans(await domains.results("honest"))[0]
    theirs = spans(await domains.results(*claims))
    assert any(other[0] < end and begin < other[1] for other in theirs), "it waited for permits of its own domain"
    assert not overlap(await domains.results(*claims))


async def test_a_declared_domain_that_the_url_confirms_is_shared(domains: Domains) -> None:
    await domains.acme.push(nap(domains.acme, "sub-1", domain="Group.test.", payload={"url": "https://a.group.test/"}))
    await domains.rival.push(nap(domains.rival, "sub-2", domain="group.test", payload={"url": "https://b.group.test/"}))
    assert not overlap(await domains.results("sub-1", "sub-2"))


async def test_a_domain_that_is_no_host_is_rejected_by_name(domains: Domains) -> None:
    await domains.acme.push(nap(domains.acme, "bad-domain", domain="https://shop.test/"))
    (result,) = await domains.results("bad-domain")
    assert result["status"] == "rejected"
    assert "`domain`" in result["error"]["message"]


@pytest.mark.parametrize("host", ["münchen.test", "MÜNCHEN.test.", "a_b.test"])
async def test_hosts_outside_of_plain_ascii_can_be_visited(domains: Domains, host: str) -> None:
    await domains.acme.push(domains.acme.job(f"visit-{host.encode().hex()}", "test.visit", {"url": f"http://{host}/"}))
    (result,) = await domains.results(f"visit-{host.encode().hex()}")
    assert result["status"] == "succeeded", result["error"]


async def test_a_tenant_with_many_profiles_gets_no_larger_share_of_a_domain(domains: Domains) -> None:
    """The rival waits with several profiles for the only permit of a host; the other tenant's job is next all the
    same."""
    url = {"url": "https://crowded.test/"}
    crowd = [f"crowd-{number}" for number in range(6)]
    await domains.rival.push(*(nap(domains.rival, job_id, payload=url, profile_id=job_id) for job_id in crowd))
    await domains.results(crowd[0])
    await domains.acme.push(nap(domains.acme, "newcomer", payload=url))
    begin, _ = spans(await domains.results("newcomer"))[0]
    before = [span for span in spans(await domains.results(*crowd)) if span[0] < begin]
    assert len(before) <= 3, "the first one, one that ran, and one that had the permit already"
