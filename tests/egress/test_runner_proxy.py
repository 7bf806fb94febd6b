"""Proxies of several runners: nothing is shared, and nothing is left of one that has ended."""

import asyncio
import os
import socket

import pytest
from pw_egress.client import ask, get
from pw_egress.origin import OK, answering, serving
from pw_egress.processes import attach, gateway
from pw_egress.running_proxy import ALL, listener, running, to

from pageworker_sandbox.dialer.connector import DirectConnector
from pageworker_sandbox.dialer.targets import parse_rules
from pageworker_sandbox.egress.acceptor import adopt
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.egress.runner_proxy import RunnerProxy
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor
from pageworker_sandbox.egress.upstream_tls import client_context
from pageworker_sandbox.wire.request_failure import failure_pipe


async def test_runners_share_no_connection() -> None:
    async with serving(answering(OK)) as origin, running(to(origin.port)) as one, running(to(origin.port)) as two:
        for _ in range(2):
            for proxy in (one, two):
                assert (await ask(proxy.port, get("http://shop.test/"))).status == 200
        assert origin.connections == 2


async def test_descriptors_come_back_after_many_runners() -> None:
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, process):
        counts = []
        for number in range(30):
            with listener() as sock:
                port = sock.getsockname()[1]
                await attach(supervisor, f"r{number}", sock, to(origin.port))
            answers = await asyncio.gather(*(ask(port, get("http://shop.test/")) for _ in range(5)))
            assert {answer.status for answer in answers} == {200}
            await supervisor.detach(f"r{number}")
            counts.append(len(os.listdir(f"/proc/{process.pid}/fd")))
        assert counts[-1] <= counts[2] + 2
        assert len(os.listdir(f"/proc/{process.pid}/task")) < 12


async def test_a_proxy_that_cannot_start_its_thread_closes_the_listener_and_says_that_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("pageworker_sandbox.egress.runner_proxy.Acceptor", no_thread)
    with listener() as sock:
        taken = adopt(socket.dup(sock.fileno()))
    connector = DirectConnector(parse_rules((80,), (), ()), lambda name: [])
    read, write = failure_pipe()
    limits = EgressLimits()
    monitor = UpstreamMonitor(UpstreamConnector(connector, client_context(""), limits), lambda change: None)
    reports = FailureReports(write)
    proxy = RunnerProxy(
        taken, EgressPolicy(hosts=ALL), limits, connector, lambda reason, target: None, reports, monitor
    )
    with pytest.raises(RuntimeError, match="thread"):
        await proxy.run()
    assert proxy.started.is_set()
    assert os.read(read, 1) == b"", "the failure pipe is closed"
    os.close(read)
    assert taken.fileno() == -1
