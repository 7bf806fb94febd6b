"""`workerctl demo`, run to its end and interrupted."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_daemon import HEADLESS_SHELL

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.redis, pytest.mark.timeout(300)]

# A parent process that adopts every process that the demo leaves behind. Exit code: the demo's, or 99 if a process is
# left twenty seconds later. With arguments it sends a signal to the demo at the first line that contains a text.
WATCH = """
import os, pathlib, signal, subprocess, sys, time
from bench.process_tree import ProcessTree, adopt_orphans
adopt_orphans()
tree = ProcessTree()
argv = [sys.executable, "-c", "from pageworker_supervisor.cli.app import main; main()", "demo"]
with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
    for line in demo.stdout:
        sys.stdout.write(line)
        if len(sys.argv) > 1 and sys.argv[1] in line:
            demo.send_signal(signal.Signals[sys.argv[2]])
deadline = time.monotonic() + 20
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
while tree.cpu_seconds() and (left := deadline - time.monotonic()) > 0:
    # Adopted processes that have ended must be reaped here.
    ended = os.waitpid(-1, os.WNOHANG)[0] or signal.sigtimedwait([signal.SIGCHLD], left)
pids = tree.cpu_seconds()
names = [pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace(chr(0), " ")[:200] for pid in pids]
left = tree.kill()
print(left, "processes are left:", *names, sep="\\n")
sys.exit(99 if left else demo.returncode)
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo makes its folder: another demo may run at the same time. Runners pass through it. Its path is
    short, because sockets lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="d-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def run(temporary: Path, *interrupt: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *interrupt],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(temporary), **environment},
    )
    return done.returncode, done.stdout + done.stderr


def test_every_result_is_as_expected_and_nothing_is_left(temporary: Path) -> None:
    code, shown = run(temporary)
    assert code == 0, shown
    assert "every result is as expected" in shown
    for word in ("acme/ktl-01", "blocked", "timed_out", "rejected", "expired", "screenshot"):
        assert word in shown
    seen = {tuple(line.split()) for line in shown.splitlines()}
    assert ("seccomp", "kernel", "2") in seen
    assert ("no", "new", "privs", "kernel", "1") in seen
    # Chromium says so itself; of the headless shell, which has no such page, the kernel does.
    assert "sandboxed" in shown or "Seccomp 2" in shown
    assert "landlock" in shown
    assert "Traceback" not in shown
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("when", "signal"),
    [("is ready", "SIGINT"), ("succeeded", "SIGINT"), ("succeeded", "SIGTERM"), ("A shop runs on", "SIGINT")],
)
def test_an_interrupted_demo_leaves_nothing(temporary: Path, when: str, signal: str) -> None:
    code, shown = run(temporary, when, signal, PAGEWORKER_BROWSER__EXECUTABLE=HEADLESS_SHELL["executable"])
    assert code == 1, shown
    assert "Interrupted" in shown
    assert "Traceback" not in shown
    assert list(temporary.iterdir()) == []
