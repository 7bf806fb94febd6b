"""What all contenders use: the site and a Redis. Their processes count for no contender."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import BusyLoadingError
from redis.retry import Retry

STARTING_SECONDS = 5.0


@dataclass(frozen=True)
class Certificate:
    """PEM files of a server."""

    certificate: Path
    key: Path


@contextlib.contextmanager
def ended_with_block(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Yield the pid. The process is ended when the block is left."""
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def site(certificate: Certificate | None = None) -> Iterator[tuple[int, int]]:
    """Serve the site, with a certificate over TLS. Yields `(port, pid)`."""
    files = (str(certificate.certificate), str(certificate.key)) if certificate else ()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as sock:
        descriptor = sock.fileno()
        words = [sys.executable, "-m", "bench.site", str(descriptor), *files]
        process = subprocess.Popen(words, pass_fds=[descriptor], stdout=subprocess.DEVNULL)
        with ended_with_block(process) as pid:
            yield sock.getsockname()[1], pid


@contextlib.contextmanager
def redis_server() -> Iterator[tuple[str, int]]:
    """Yield `(url, pid)` of an empty Redis that syncs its append-only file each second, as is usual."""
    with tempfile.TemporaryDirectory(prefix="pageworker-bench-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port: int = sock.getsockname()[1]
        options = {
            "--port": str(port),
            "--bind": "127.0.0.1",
            "--dir": folder,
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--maxmemory-policy": "noeviction",
            "--logfile": str(Path(folder) / "redis.log"),
        }
        process = subprocess.Popen(["redis-server", *(word for pair in options.items() for word in pair)])
        with ended_with_block(process) as pid:
            await_redis(port)
            yield f"redis://127.0.0.1:{port}/0", pid


def await_redis(port: int) -> None:
    """Return when Redis answers. Raises redis.ConnectionError after the deadline."""
    step = 0.02
    retry = Retry(ConstantBackoff(step), round(STARTING_SECONDS / step))
    with Redis(port=port, retry=retry, retry_on_error=[BusyLoadingError, ConnectionError]) as client:
        client.ping()


def browser() -> str:
    """The browser binary that a worker finds by itself: the same for all contenders. `BENCH_BROWSER` overrides."""
    chosen = os.environ.get("BENCH_BROWSER")
    found = [path for path in map(Path, (chosen, *KNOWN) if chosen else KNOWN) if path.is_file()]
    if not found:
        raise FileNotFoundError(f"no browser at {', '.join(KNOWN)}; set BENCH_BROWSER")
    return str(found[0])


def headless_shell() -> str:
    """The headless shell. `BENCH_BROWSER` does not replace it. Raises FileNotFoundError."""
    if not Path(SHELL).is_file():
        raise FileNotFoundError(f"no headless shell at {SHELL}")
    return SHELL


SHELL = "/usr/lib/chromium/chromium-headless-shell"
KNOWN = ("/usr/lib/chromium/chromium", SHELL)
