"""The latest failure and the latest address per host, as the egress gateway reports them through the failure pipe."""

import asyncio
import os
import re
from collections.abc import Callable
from typing import TypeVar

from pageworker_sandbox.wire.origin_address import parse_address
from pageworker_sandbox.wire.request_failure import MAX_LINE_BYTES, RequestFailure, parse_line

T = TypeVar("T")

READ_BYTES = 64 * 1024
HOST_BLOCKED = "host_blocked"
"""The gateway's reason for such a request."""
KEPT_HOSTS = 1024
_URL = re.compile(r"(https?)://(?:[^/?#@]*@)?([^/?#]+)", re.IGNORECASE)
_HAS_PORT = re.compile(r":\d+\Z")
_PORTS = {"http": 80, "https": 443}


class GatewayReports:
    """Owns the read end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` must not block."""
        self._descriptor = descriptor
        self._rest = b""
        self._latest: dict[str, RequestFailure] = {}
        """By `host:port`, in the order in which they came."""
        self._addresses: dict[str, str] = {}
        """The same."""
        self.on_blocked: Callable[[], None] = lambda: None
        """Called for each request that the gateway refused because `block_hosts` has its host."""

    def watch(self) -> None:
        """Read reports as they come, so that the pipe never fills. Call it within the running loop."""
        asyncio.get_running_loop().add_reader(self._descriptor, self.read)

    def latest(self, url: str) -> RequestFailure | None:
        """Why the last request failed that the gateway did not carry out for the host and port of this URL.

        The gateway reports a failure before it answers the request. So the report is in the pipe when the browser
        tells of the failure.
        """
        self.read()
        return self._latest.get(authority_of(url) or "")

    def address(self, url: str) -> str | None:
        """Where the gateway last connected to for the host and port of this URL. None: it does not say."""
        self.read()
        return self._addresses.get(authority_of(url) or "")

    def read(self) -> None:
        """Take in what has come. It is called by itself, but a caller may need the reports of this moment."""
        if self._descriptor < 0:
            return
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            # The gateway is gone. So is the runner's network, and soon the runner.
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:MAX_LINE_BYTES]
        for line in lines:
            text = line.decode("latin-1")
            if (failure := parse_line(text)) is not None:
                self.add(failure)
                if failure.reason == HOST_BLOCKED:
                    self.on_blocked()
            elif (origin := parse_address(text)) is not None:
                _keep(self._addresses, origin.authority, origin.address)

    def add(self, failure: RequestFailure) -> None:
        """Note a failure. The runner itself refuses requests, too, before they reach the gateway."""
        _keep(self._latest, failure.authority, failure)


def _keep(latest: dict[str, T], authority: str, report: T) -> None:
    latest.pop(authority, None)
    latest[authority] = report
    if len(latest) > KEPT_HOSTS:
        del latest[next(iter(latest))]


def authority_of(url: str) -> str | None:
    """`host:port` of an `http:` or `https:` URL, as Chromium writes it in a request to a proxy. None: another URL."""
    found = _URL.match(url)
    if found is None:
        return None
    return found[2] if _HAS_PORT.search(found[2]) else f"{found[2]}:{_PORTS[found[1].lower()]}"
