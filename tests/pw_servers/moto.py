"""Moto's server on loopback: the APIs of AWS that tests need. It does not look at signatures."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from pw_servers.no_tls import NO_TLS
from pw_servers.ports import free_port
from pw_servers.standalone import WITH_PARENT
from pw_servers.waiting import until


@contextmanager
def moto_server() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A new server. Yields its URL, once it answers, and its process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [*WITH_PARENT, sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _serves(url), "moto serves", 60.0, 0.05)
        yield url, process
    finally:
        process.kill()
        process.wait()


def _serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", verify=NO_TLS).is_success
    except httpx.TransportError:
        return False
