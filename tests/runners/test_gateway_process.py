"""A gateway that does not start is started again, and its trouble is reported. Real gateways in the sandbox."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pw_daemon.processes import below
from pw_egress.client import ask, get
from pw_egress.origin import OK, answering, serving
from pw_egress.running_proxy import listener, to
from pw_sandbox import sandboxes
from pw_servers.forward_proxy import forward_proxy

from pageworker_sandbox.dialer.messages import DialRules
from pageworker_sandbox.egress.messages import EgressPolicy, Upstream
from pageworker_sandbox.launch import GatewayUsers, Host, survey
from pageworker_sandbox.wire.request_failure import failure_pipe
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.runners.dial_rules import dial_rules
from pageworker_supervisor.runners.gateway_process import GatewayEvents, GatewayProcess
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(60)]


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """The fields of each line of the access log."""
    lines: list[dict[str, Any]] = []

    def keep(message: Any) -> None:
        if message.record["message"] == "egress request":
            lines.append(message.record["extra"])

    sink = log.add(keep)
    yield lines
    log.remove(sink)


class ReportedGateway:
    """A gateway process, and what it reported."""

    def __init__(self, host: Host, hosts: dict[str, str] | None = None, proxy_ports: tuple[int, ...] = ()) -> None:
        self.lost: list[str] = []
        self.told = asyncio.Event()
        self.up = asyncio.Event()
        users = GatewayUsers(*(None if sandboxes.UID is None else sandboxes.UID + number for number in (82, 83)))
        self.upstreams: dict[str, str | None] = {}
        """Why each does not work; None: it works again."""
        self.changed = asyncio.Event()
        events = GatewayEvents(self.up.set, self.hear, self.lost.append, self.change)
        self.egress = EgressSettings(hosts=hosts or {}, proxy_ports=proxy_ports)
        self.gateway = GatewayProcess(host, users, dial_rules(self.egress, frozenset()), Metrics(), events)

    def change(self, url: str, reason: str | None) -> None:
        self.upstreams[url] = reason
        self.changed.set()

    def hear(self, reason: str) -> None:
        self.lost.append(reason)
        self.told.set()


async def test_a_gateway_that_does_not_start_is_waited_for_with_the_reason() -> None:
    """It ended the daemon with a traceback."""
    sound = survey(None, sandboxes.HEADLESS)
    heard = ReportedGateway(replace(sound, bubblewrap=Path("/bin/false")))
    gateway = heard.gateway
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(40):
        running = tasks.create_task(gateway.run())
        await heard.told.wait()
        assert str(gateway.trouble).startswith("the egress gateway does not start")
        assert heard.lost == ["there is no egress gateway"]
        assert not heard.up.is_set()
        gateway._host = sound
        await heard.up.wait()
        assert not gateway.trouble
        assert gateway.proof
        running.cancel()


async def test_a_host_that_can_fork_no_more_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """fork(2): EAGAIN. Nothing else causes it without using up the processes of the whole host."""
    sound = survey(None, sandboxes.HEADLESS)
    heard = ReportedGateway(sound)

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    async with asyncio.TaskGroup() as tasks, asyncio.timeout(40):
        with monkeypatch.context() as patched:
            patched.setattr("subprocess.Popen", refuse)
            running = tasks.create_task(heard.gateway.run())
            await heard.told.wait()
            assert "Resource temporarily unavailable" in (heard.gateway.trouble or "")
        await heard.up.wait()
        running.cancel()


@pytest.mark.parametrize("victim", ["pageworker_sandbox.egress", "pageworker_sandbox.dialer"])
async def test_a_gateway_is_lost_with_its_dialer_and_another_one_starts(victim: str) -> None:
    """Every runner has lost its network then: its owner hears it, and replaces them."""
    heard = ReportedGateway(survey(None, sandboxes.HEADLESS))
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(40):
        running = tasks.create_task(heard.gateway.run())
        await heard.up.wait()
        heard.up.clear()
        (process,) = (pid for pid, line in below(os.getpid()).items() if victim in line and "bwrap" not in line)
        os.kill(process, signal.SIGKILL)
        await heard.told.wait()
        assert heard.lost == ["the egress gateway is lost"]
        await heard.up.wait()
        running.cancel()


async def test_counts_are_read_while_the_runner_lives_and_after_the_gateway_is_dead(
    log_lines: list[dict[str, Any]],
) -> None:
    async with serving(answering()) as origin, asyncio.TaskGroup() as tasks, asyncio.timeout(40):
        heard = ReportedGateway(survey(None, sandboxes.HEADLESS), {"shop.test": f"127.0.0.1:{origin.port}"})
        running = tasks.create_task(heard.gateway.run())
        grown: list[Traffic] = []
        traffic = RunnerTraffic("acme", grown.append)
        read, write = failure_pipe()
        with listener() as sock:
            port = sock.getsockname()[1]
            await heard.gateway.attach("r1", traffic, sock.fileno(), write, to(origin.port))
        os.close(write)
        traffic.begin("a", "acme/17", "0af7")
        assert (await ask(port, get("http://shop.test/"))).body == b"ok"
        one = traffic.share("a")
        assert (one.requests, one.bytes_in) == (1, len(OK))
        assert (await heard.gateway._alive().usage("r1")).down_bytes == one.bytes_in

        heard.gateway.use(EgressSettings(access_log="all"))
        while not log_lines:
            assert (await ask(port, get("http://shop.test/"))).body == b"ok"
        assert log_lines[0] == log_lines[0] | {"job": "acme/17", "host": "shop.test", "bytes_in": len(OK)}
        heard.gateway.use(EgressSettings())

        before = heard.gateway._traffic["r1"].share("a")
        (process,) = (
            p for p, line in below(os.getpid()).items() if "pageworker_sandbox.egress" in line and "bwrap" not in line
        )
        os.kill(process, signal.SIGKILL)
        await heard.told.wait()
        await heard.gateway.detach("r1")
        assert traffic.end("a") == before
        assert sum(grown, NO_TRAFFIC) == before
        os.close(read)
        running.cancel()


async def test_a_pool_that_changes_reaches_the_dialer_and_the_runners_that_are_up() -> None:
    async with (
        serving(answering()) as origin,
        forward_proxy("http", lambda host, port: ("127.0.0.1", origin.port)) as proxy,
        asyncio.TaskGroup() as tasks,
        asyncio.timeout(40),
    ):
        heard = ReportedGateway(survey(None, sandboxes.HEADLESS), proxy_ports=(proxy.port, 9))
        gateway = heard.gateway
        running = tasks.create_task(gateway.run())

        def by(url: str) -> EgressPolicy:
            return EgressPolicy(hosts=(("*",),), upstreams=(Upstream(url=url, resolves=True),))

        read, write = failure_pipe()
        with listener() as sock:
            port = sock.getsockname()[1]
            down = "http://127.0.0.1:9"
            await gateway.attach("r1", RunnerTraffic("acme"), sock.fileno(), write, by(down))
        os.close(write)
        assert (await ask(port, get("http://shop.test/"))).egress == "proxy_unavailable"
        await heard.changed.wait()
        assert heard.upstreams == {down: "private_address"}, "no rule of the dialer names it"

        await gateway.update("r1", by(proxy.url))
        pool = {"de": ProxySettings(upstreams=(proxy.url,))}
        refused = asyncio.Event()

        def hear(line: Any) -> None:
            if line.record["message"].startswith("the dialer refuses new rules"):
                refused.set()

        sink = log.add(hear)
        # Rules that the dialer cannot read end neither it nor the gateway.
        gateway.use_rules(DialRules(ports=(80,), targets=("a~b:80",)))
        await refused.wait()
        log.remove(sink)
        gateway.use_rules(dial_rules(heard.egress, frozenset(), pool))
        while (await ask(port, get("http://shop.test/"))).body != b"ok":
            pass  # until the dialer has the rules, and a probe has found the proxy
        assert await gateway.upstream("r1") == proxy.endpoint
        await gateway.update("gone", by(down))
        assert await gateway.upstream("gone") == ""
        await gateway.detach("r1")
        assert await gateway.upstream("r1") == ""
        os.close(read)
        running.cancel()
