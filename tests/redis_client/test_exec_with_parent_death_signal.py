"""The script that starts the embedded Redis, run as itself."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pw_servers.waiting import until

from pageworker_supervisor.redis_client import embedded

pytestmark = pytest.mark.redis


def test_it_does_not_start_for_a_daemon_that_is_gone(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    command = [
        sys.executable,
        "-I",
        "-S",
        str(embedded.EXEC_SCRIPT),
        "1",
        "-",
        "-",
        str(tmp_path),
        "/usr/bin/touch",
        str(marker),
    ]
    tried = subprocess.run(command, capture_output=True, check=False)
    assert tried.returncode != 0
    assert b"the parent process has ended" in tried.stderr
    assert not marker.exists()


def run(folder: Path, *program: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", str(embedded.EXEC_SCRIPT), str(os.getpid()), "-", "-", str(folder), *program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_starts_in_its_folder_without_privileges_and_environment(tmp_path: Path) -> None:
    done = run(
        tmp_path, "/bin/sh", "-c", "pwd; umask; ulimit -c; grep NoNewPrivs /proc/self/status; env | grep -c HOME"
    )
    assert done.stdout.split() == [str(tmp_path), "0077", "0", "NoNewPrivs:", "1", "0"]


def test_it_is_ended_by_the_kernel_with_its_parent(tmp_path: Path) -> None:
    """Its parent, a shell, is killed; the program itself knows nothing of it."""
    script = f"{sys.executable} -I -S {embedded.EXEC_SCRIPT} $$ - - {tmp_path} /bin/sleep 60 & echo $!; wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        program = psutil.Process(int(shell.stdout.readline()))
        until(lambda: program.name() == "sleep", "the program runs")
        shell.kill()
        until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, "it has ended")


def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "missing", "/bin/true")
    assert done.returncode == 1
    assert f"could not enter {tmp_path / 'missing'}" in done.stderr
