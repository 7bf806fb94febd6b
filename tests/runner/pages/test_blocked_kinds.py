"""Every kind of request to a blocked host, by a real browser behind the real gateway: none leaves, all are counted."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pw_egress.processes import gateway
from pw_runner.bundles import handler
from pw_runner.networked import Networked
from pw_runner.request_kinds import CONNECTIONS, KINDS, NEVER_SENT, AdSite, ad_site
from pw_runner.supervisor import HEADLESS_SHELL, AttemptReport
from pw_servers.certificates import Certificates

from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.page_rules import parse_options

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SILENT = {"beacon", "frame", "form", "ping of a link", "report of a policy", "speculation", *CONNECTIONS}
"""A page learns nothing of how these end, so they may end after the attempt."""
LOOK = """
await page.goto("http://localhost/page")
ends = await page.evaluate("all()")
if payload["all"]:
    await page.request.get("http://localhost/seen")
sent = []
for name, context in (("page.request", page.request), ("context.request", page.context.request)):
    try:
        await context.get("http://a.ads.example/kind/" + name)
        sent.append(name)
    except Exception as error:
        assert "host_blocked for a.ads.example:80" in str(error), error
return {"ends": ends, "sent": sent}
"""


@asynccontextmanager
async def started(folder: Path, block: list[str]) -> AsyncIterator[tuple[Networked, AdSite]]:
    """A runner that blocks these hosts, and the site of all hosts."""
    made = Certificates.make(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made.certificate, made.key)
    async with ad_site(tls) as site, gateway(*site.addresses.values()) as (client, _):
        policy = EgressPolicy(hosts=(("*",),), fixed=site.addresses, blocked=tuple(block))
        options = parse_options({"block_hosts": block, "ignore_https_errors": True})
        runner = Networked(client, policy, browser=HEADLESS_SHELL, persistent=False, pages=1, options=options)
        await runner.start()
        try:
            yield runner, site
        finally:
            await runner.close()


async def looked(runner: Networked, *, until_all_are_seen: bool) -> AttemptReport:
    """The attempt that makes all requests."""
    attempt = await runner.begin(handler(LOOK), {"all": until_all_are_seen}, timeout_seconds=90)
    await runner.until(lambda: attempt in runner.freed or runner.ended, 100)
    return runner.reports[attempt]


async def test_every_kind_of_request_is_sent_without_the_option(tmp_path: Path) -> None:
    async with started(tmp_path, []) as (runner, site):
        report = await looked(runner, until_all_are_seen=True)
        failed = {name for name, end in report.data["ends"].items() if end == "error"}
        # Chromium leaves out connections while many others are open.
        assert site.seen - {*CONNECTIONS} == {*KINDS, "page.request", "context.request"}
        assert failed >= {"web transport"} <= set(NEVER_SENT)
        assert not failed & {name for name in KINDS if "socket" in name or "fetch" in name}


async def test_no_kind_of_request_to_a_blocked_host_is_sent_and_each_is_counted(tmp_path: Path) -> None:
    async with started(tmp_path, ["*.ads.example"]) as (runner, site):
        report = await looked(runner, until_all_are_seen=False)
        assert {name for name, end in report.data["ends"].items() if end == "sent"} <= SILENT
        assert report.data["sent"] == []
        assert site.seen == set()
        assert report.done is not None
        counted = report.done.blocked
        assert set(counted) == {"host"}
        assert counted["host"] >= len({*KINDS} - SILENT) + 2
