"""What the daemon gives up, in the kernel's words, and what is left to what it starts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import os, resource, subprocess, sys
from pathlib import Path
from pageworker_supervisor.host.hardening import harden
harden()
harden()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
child = subprocess.run(["cat", "/proc/self/status", "/proc/self/limits"], capture_output=True, text=True).stdout
print(status["NoNewPrivs"].strip(), resource.getrlimit(resource.RLIMIT_CORE))
print(" ".join(line.split(":")[1].strip() for line in child.splitlines() if line.startswith("NoNewPrivs")))
print(" ".join(next(line for line in child.splitlines() if line.startswith("Max core")).split()[-3:-1]))
print(os.stat("/proc/self/mem").st_uid, flush=True)
sys.stdin.read()
"""


def as_unprivileged_user() -> None:
    if os.geteuid() == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)


@pytest.fixture
def hardened() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", LOOK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=as_unprivileged_user,
    )


def test_the_daemon_and_all_that_it_starts_can_gain_nothing(hardened: "subprocess.Popen[str]") -> None:
    with hardened as process:
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in range(4)] == ["1 (0, 0)", "1", "0 0", "0"]


def test_no_process_of_its_user_reads_or_traces_it(hardened: "subprocess.Popen[str]") -> None:
    """With a control: the same process before it is hardened can be read by its user."""
    read = "import pathlib, sys; print(len(pathlib.Path(f'/proc/{sys.argv[1]}/environ').read_bytes()) > 0)"
    plain = subprocess.Popen(["sleep", "60"], preexec_fn=as_unprivileged_user)
    with hardened as process, plain:
        assert process.stdout is not None
        [process.stdout.readline() for _ in range(4)]
        answers = [
            subprocess.run(
                [sys.executable, "-c", read, str(pid)], capture_output=True, text=True, preexec_fn=as_unprivileged_user
            )
            for pid in (plain.pid, process.pid)
        ]
        plain.kill()
    assert answers[0].stdout.strip() == "True", answers[0].stderr
    assert "PermissionError" in answers[1].stderr


def test_the_daemon_is_hardened_before_it_reads_its_configuration(tmp_path: Path) -> None:
    """Its configuration is a pipe in which nothing ever comes: the daemon waits for the first byte."""
    pipe = tmp_path / "pageworker.toml"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "pageworker_supervisor.daemon", "--config", str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            # Blocks until the daemon opens the other end.
            with pipe.open("wb"):
                status = Path(f"/proc/{daemon.pid}/status").read_text()
                limits = Path(f"/proc/{daemon.pid}/limits").read_text()
        finally:
            daemon.kill()
    assert "NoNewPrivs:\t1" in status
    assert re.search(r"Max core file size +0 +0", limits)
