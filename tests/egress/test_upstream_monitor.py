"""The health of upstream proxies over time: probes one at a time, at most every few seconds, and never for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.egress import upstream_monitor
from pageworker_sandbox.egress.errors import UpstreamFailed
from pageworker_sandbox.egress.messages import UpstreamState
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor

PROXY = UpstreamProxy("socks5", Target("proxy.test", 1080), "bob", "s3cret", False)
SAME_WITH_OTHER_LOGIN = UpstreamProxy("socks5", Target("proxy.test", 1080), "eve", "other", False)
DOUBT = UpstreamFailed("closed", doubtful=True)


class ScriptedUpstreams:
    """Connects to proxies as the test says."""

    names = None

    def __init__(self) -> None:
        self.fails: UpstreamFailed | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.connected = 0
        self.begun = asyncio.Event()

    async def connect(self, *arguments: object) -> "ScriptedUpstreams":
        self.connected += 1
        self.begun.set()
        await self.free.wait()
        if self.fails is not None:
            raise self.fails
        return self

    @property
    def stream(self) -> "ScriptedUpstreams":
        return self

    def abort(self, reason: str) -> None:
        return

    async def probe(self) -> None:
        return


@asynccontextmanager
async def monitored() -> AsyncIterator[tuple[UpstreamMonitor, ScriptedUpstreams, asyncio.Queue[UpstreamState]]]:
    upstreams = ScriptedUpstreams()
    changes: asyncio.Queue[UpstreamState] = asyncio.Queue()
    monitor = UpstreamMonitor(any_typed(upstreams), changes.put_nowait)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(monitor.run())
        yield monitor, upstreams, changes
        running.cancel()


async def test_a_doubt_takes_nothing_away_while_the_probe_runs_or_passes() -> None:
    async with monitored() as (monitor, upstreams, changes):
        upstreams.free.clear()
        for _ in range(10):
            monitor.failed(PROXY, DOUBT)
        await upstreams.begun.wait()
        assert monitor.usable(PROXY)
        upstreams.free.set()
        while monitor._probes:  # noqa: ASYNC110 - until the probe has ended
            await asyncio.sleep(0)
        for _ in range(10):
            monitor.failed(PROXY, DOUBT)
            await asyncio.sleep(0)
        assert (upstreams.connected, monitor.usable(PROXY), changes.qsize()) == (1, True, 0)


async def test_a_probe_that_fails_takes_it_away_from_all_and_one_that_passes_gives_it_back() -> None:
    async with monitored() as (monitor, upstreams, changes):
        upstreams.fails = UpstreamFailed("credentials")
        monitor.failed(PROXY, DOUBT)
        assert await changes.get() == UpstreamState(url="socks5://proxy.test:1080", up=False, reason="credentials")
        assert not monitor.usable(PROXY)
        assert monitor.usable(SAME_WITH_OTHER_LOGIN), "another login may be the right one"
        upstreams.fails = None
        assert await changes.get() == UpstreamState(url="socks5://proxy.test:1080", up=True)


async def test_a_request_that_succeeds_meanwhile_ends_the_probe() -> None:
    async with monitored() as (monitor, upstreams, changes):
        upstreams.free.clear()
        monitor.failed(PROXY, DOUBT)
        await upstreams.begun.wait()
        monitor.worked(PROXY)
        upstreams.fails = UpstreamFailed("refused")
        upstreams.free.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert monitor.usable(PROXY)
        assert changes.empty()


async def test_a_proxy_that_no_request_wants_is_not_probed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_monitor, "FORGET_SECONDS", -1.0)
    async with monitored() as (monitor, upstreams, changes):
        monitor.failed(PROXY, UpstreamFailed("refused"))
        await changes.get()
        while monitor._health:  # noqa: ASYNC110 - until its pause is over
            await asyncio.sleep(0.01)
        assert (upstreams.connected, monitor.usable(PROXY)) == (0, True)
        assert changes.get_nowait() == UpstreamState(url=PROXY.url, up=True), "it is not known to be down any more"


async def test_a_login_that_was_corrected_is_forgotten_with_its_pause() -> None:
    async with monitored() as (monitor, _, changes):
        monitor.name("runner", frozenset({PROXY}))
        monitor.failed(PROXY, UpstreamFailed("credentials"))
        assert not changes.get_nowait().up
        monitor.name("other", frozenset({SAME_WITH_OTHER_LOGIN}))
        assert not monitor.usable(PROXY), "a runner still names it"
        monitor.name("runner", frozenset({SAME_WITH_OTHER_LOGIN}))
        assert changes.get_nowait() == UpstreamState(url=PROXY.url, up=True)
        assert [monitor._health, monitor._timers, monitor._wanted_at] == [{}] * 3


async def test_a_runner_that_ends_leaves_what_is_known_to_the_next_one() -> None:
    async with monitored() as (monitor, _, changes):
        monitor.name("first", frozenset({PROXY}))
        monitor.failed(PROXY, UpstreamFailed("refused"))
        changes.get_nowait()
        monitor.leave("first")
        monitor.name("second", frozenset({PROXY}))
        assert not monitor.usable(PROXY)
        monitor.leave("second")
        monitor.name("third", frozenset({SAME_WITH_OTHER_LOGIN}))
        assert changes.get_nowait().up
        assert not monitor._health


async def test_a_proxy_works_again_when_no_login_of_it_is_down() -> None:
    async with monitored() as (monitor, _, changes):
        for proxy in (PROXY, SAME_WITH_OTHER_LOGIN):
            monitor.name(proxy, frozenset({proxy}))
            monitor.failed(proxy, UpstreamFailed("credentials"))
            assert not changes.get_nowait().up
        monitor.name(PROXY, frozenset())
        assert changes.empty(), "the other login is down"
        monitor.worked(SAME_WITH_OTHER_LOGIN)
        assert changes.get_nowait().up


async def test_a_probe_ends_when_its_proxy_is_forgotten() -> None:
    async with monitored() as (monitor, upstreams, changes):
        monitor.name("runner", frozenset({PROXY}))
        upstreams.free.clear()
        monitor.failed(PROXY, DOUBT)
        await upstreams.begun.wait()
        monitor.name("runner", frozenset())
        upstreams.fails = UpstreamFailed("refused")
        upstreams.free.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert [monitor._probes, monitor._health] == [{}, {}]
        assert changes.empty()
