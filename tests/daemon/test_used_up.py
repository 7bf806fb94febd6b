"""A host that runs out of something for a while: the daemon stays up, reports it, and goes on."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from pw_daemon.processes import descriptor_limits, limit_descriptors
from pw_local_user import LocalUserHost, default_daemon
from pw_local_user.host import JOB_ID

pytestmark = [pytest.mark.redis, pytest.mark.sandbox, pytest.mark.browser, pytest.mark.timeout(200)]
SECONDS = 30.0


def ready(host: LocalUserHost) -> str:
    """The answer of GET /readyz; None if the daemon has no descriptor left for it."""
    try:
        return host.daemon.get("/readyz").text
    except (OSError, httpx.TransportError):
        return ""


def until(host: LocalUserHost, holds: Callable[[], bool]) -> None:
    """Polls, because another process does not report it."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert host.daemon.process is not None
        assert host.daemon.process.poll() is None, "the daemon ended"
        assert time.monotonic() < end, ready(host)
        time.sleep(0.05)


@contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    """Every descriptor below its limit is taken."""
    before = descriptor_limits(pid)
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    lowest = next(number for number in range(len(taken) + 1) if number not in taken)
    limit_descriptors(pid, (lowest, before[1]))
    try:
        yield
    finally:
        limit_descriptors(pid, before)


def test_descriptors_used_up() -> None:
    with default_daemon() as host:
        with no_descriptors(host.daemon.pid):
            for tenant in ("a", "b", "c"):
                assert host.workerctl("submit", "test.nap", "--tenant", tenant, "--job-id", "x").returncode == 0
            # It claims nothing once it has looked at its load. Before, what it claims is deferred.
            told = ("runner did not come up", "job deferred", "admission is limited by load")
            until(host, lambda: any(line["message"] in told for line in host.daemon.log()))
        for tenant in ("a", "b", "c"):
            until(host, partial(has_result, host, tenant))
        assert host.daemon.terminate() == 0


def has_result(host: LocalUserHost, tenant: str) -> bool:
    return f'"tenant_id":"{tenant}"' in results(host)


def test_readiness_says_that_descriptors_are_used_up() -> None:
    script = (
        "import resource; from pageworker_supervisor.host.descriptor_check import descriptor_trouble as t; "
        "assert t() == ''; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); print(t())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("this process has no free file descriptors")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    tmp_path.chmod(0o711)
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o711)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=711", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_data_folder(disk: Path) -> None:
    """Redis ends rather than lose data; a running job gets its result, and what was acknowledged is kept."""
    with default_daemon(disk) as host:
        words = ("submit", "test.nap", "--tenant", "acme", "--profile", "p1", "--job-id", "runs")
        assert host.workerctl(*words, "--payload", '{"seconds": 4}').returncode == 0
        until(host, lambda: any(job["job_id"] == "runs" for job in host.daemon.get("/status").json()["jobs"]))
        filler = disk / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(64 * 1024 * 1024))
        while host.workerctl("submit", "test.nap", "--tenant", "acme").returncode == 0:
            pass
        until(host, lambda: "the data folder is full" in ready(host))
        log = host.daemon.log_file.read_text()
        filler.unlink()
        until(host, lambda: '"ready":true' in ready(host))
        until(host, lambda: '"runs"' in results(host))
        assert JOB_ID in results(host), "what was acknowledged before is kept"
        assert "Traceback" not in log
        assert host.daemon.terminate() == 0


def results(host: LocalUserHost) -> str:
    """As JSON; nothing while Redis is away."""
    return host.workerctl("results", "--count", "500", "--json").stdout
