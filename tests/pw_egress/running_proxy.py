"""The proxy of one runner, in the test's own event loop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from pageworker_sandbox.dialer.connector import DirectConnector
from pageworker_sandbox.dialer.targets import TargetRules, parse_rules
from pageworker_sandbox.egress.acceptor import adopt
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy, Reason, UpstreamState
from pageworker_sandbox.egress.policy_enforcer import AskPermit
from pageworker_sandbox.egress.runner_proxy import RunnerProxy
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor
from pageworker_sandbox.egress.upstream_tls import client_context
from pageworker_sandbox.wire.request_failure import RequestFailure, failure_pipe, parse_line

ALL = (("*",),)


@dataclass
class RunningProxy:
    """A proxy, its port, and what it refused."""

    runner_proxy: RunnerProxy
    port: int
    failures: int
    """Read end of the failure pipe."""
    monitor: UpstreamMonitor
    refused: list[tuple[Reason, str]] = field(default_factory=list)
    changes: list[UpstreamState] = field(default_factory=list)
    """Upstream proxies that went down or came back."""

    def reported(self) -> list[RequestFailure | None]:
        """The failures since the last call, as the runner reads them."""
        try:
            lines = os.read(self.failures, 65536).decode().splitlines()
        except BlockingIOError:
            lines = []
        return [parse_line(line) for line in lines]


def listener() -> socket.socket:
    """A listening socket, as a runner passes it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    return sock


@asynccontextmanager
async def running(
    policy: EgressPolicy,
    limits: EgressLimits | None = None,
    names: Mapping[str, list[str]] | None = None,
    authorities: str = "",
    short_names: Mapping[str, list[str]] | None = None,
    rules: TargetRules | None = None,
    ask_permit: AskPermit | None = None,
) -> AsyncIterator[RunningProxy]:
    """A proxy that resolves only `names`, and `short_names` as upstream proxies have them, without a last dot.

    `authorities`: PEM certificates for `https://` upstream proxies. `rules`: the dialer's, if not those of `policy`.
    """
    refused: list[tuple[Reason, str]] = []
    known = {f"{name}.": addresses for name, addresses in (names or {}).items()} | dict(short_names or {})
    changes: list[UpstreamState] = []

    def look_up(host: str) -> list[Address]:
        if host not in known:
            raise OSError("no such name")
        return [ip_address(address) for address in known[host]]

    def on_refusal(reason: Reason, target: Target) -> None:
        refused.append((reason, target.authority))

    with listener() as sock:
        port = sock.getsockname()[1]
        limits = limits or EgressLimits()
        connector = DirectConnector(rules or _rules(policy), look_up)
        monitor = UpstreamMonitor(UpstreamConnector(connector, client_context(authorities), limits), changes.append)
        failures, theirs = failure_pipe()
        reports = FailureReports(theirs)
        proxy = RunnerProxy(
            *(adopt(sock.detach()), policy, limits, connector, on_refusal, reports, monitor), ask_permit=ask_permit
        )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(proxy.run())
        probing = group.create_task(monitor.run())
        yield RunningProxy(proxy, port, failures, monitor, refused, changes)
        assert not task.done(), "the proxy ended by itself"
        task.cancel()
        probing.cancel()
    os.close(failures)


def _rules(policy: EgressPolicy) -> TargetRules:
    """What the supervisor tells the dialer, from one policy alone."""
    upstreams = (upstream.url.partition("://")[2] for upstream in policy.upstreams)
    return parse_rules(policy.ports, (*policy.fixed.values(), *upstreams), ())


def to(port: int, **changes: Any) -> EgressPolicy:
    """A policy under which `shop.test` is the origin on this loopback port."""
    fields: dict[str, Any] = {"hosts": ALL, "fixed": {"shop.test": f"127.0.0.1:{port}"}}
    return EgressPolicy(**{**fields, **changes})
