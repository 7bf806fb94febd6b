"""What a process tree costs, and that nothing of it is left."""

import subprocess
import sys
from typing import Any

from bench.process_tree import ProcessTree

SPIN = "import subprocess, sys; subprocess.run(['sh', '-c', 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'])"
PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
FAMILY = "import subprocess; p = subprocess.Popen(['sleep', '60']); print('up', flush=True); p.wait()"


def test_cpu_of_children_that_have_ended_counts() -> None:
    tree = ProcessTree()
    with subprocess.Popen(
        [sys.executable, "-c", SPIN + "; print('spun', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        before = tree.cpu_seconds()
        assert process.pid in before
        process.stdout.readline()
        assert tree.cpu_seconds()[process.pid] > before[process.pid]
        assert ProcessTree().cpu_seconds() == {}, "what runs before it is not of the tree"
        assert tree.pss_bytes() > 1_000_000
        process.communicate()


def test_a_whole_family_is_ended() -> None:
    tree = ProcessTree()
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert tree.kill() == 2
        assert tree.cpu_seconds() == {}
        process.wait()


def test_a_program_is_found_once_with_what_is_below_it() -> None:
    tree = ProcessTree()
    with subprocess.Popen(["sh", "-c", "sh -c 'echo up; read line; exit' found; exit", "found"], **PIPES) as process:
        assert process.stdout
        process.stdout.readline()
        assert tree.pids_running(["found"]) == [process.pid]
        assert tree.pids_running(["found", "lost"]) == [process.pid]
        assert tree.pids_running(["lost"]) == []
        process.communicate()
