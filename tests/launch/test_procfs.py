"""What /proc shows of processes, by this very process and its children."""

import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pageworker_sandbox.launch import procfs
from pageworker_sandbox.launch.procfs import TmpfsUse

GONE = 2**22 - 1
MIB = 1024**2


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python that has written a line."""
    command = [sys.executable, "-c", f"{code}\nprint(flush=True)\nimport signal; signal.pause()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_process_that_is_gone_has_nothing() -> None:
    assert procfs.children(GONE) == []
    assert list(procfs.tree(GONE)) == [GONE]
    assert procfs.pss_bytes(GONE) == procfs.mapped_bytes(GONE, (), ()) == procfs.tasks(GONE) == 0
    assert procfs.memfds(GONE) == {}
    assert procfs.tmpfs_use(GONE, Path("/tmp")) is None
    with pytest.raises(procfs.GONE):
        procfs.status(GONE)


def test_a_tree_holds_children_of_all_threads() -> None:
    started: list[subprocess.Popen[bytes]] = []
    done = threading.Event()

    def start() -> None:
        started.append(subprocess.Popen(["sleep", "60"]))
        done.wait()

    thread = threading.Thread(target=start)
    thread.start()
    try:
        while not started:
            thread.join(0.01)
        assert started[0].pid in set(procfs.tree(os.getpid()))
    finally:
        done.set()
        thread.join()
        started[0].send_signal(signal.SIGKILL)
        started[0].wait()


def test_memory_that_is_used_is_counted() -> None:
    with running("kept = bytearray(b'x') * (40 << 20)") as process:
        assert 40 * MIB < procfs.pss_bytes(process.pid) < 80 * MIB


def test_a_memfd_counts_by_what_is_in_it_and_what_is_mapped_of_it() -> None:
    code = """
import mmap, os
fd = os.memfd_create("x")
os.write(fd, bytes(20 << 20))
seen = mmap.mmap(fd, 8 << 20)
sum(seen[::4096])
"""
    with running(code) as process:
        found = procfs.memfds(process.pid)
        assert list(found.values()) == [20 * MIB]
        assert procfs.mapped_bytes(process.pid, (), found) == 8 * MIB
        assert procfs.mapped_bytes(process.pid, (), ()) == 0


def test_threads_are_tasks() -> None:
    code = """
import threading
for _ in range(3): threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    with running(code) as process:
        assert procfs.tasks(process.pid) == 4


def test_a_tmpfs_tells_its_use_and_its_limits() -> None:
    use = procfs.tmpfs_use(os.getpid(), Path("/dev/shm"))
    assert use is not None
    assert 0 <= use.used_bytes <= use.most_bytes
    assert use.device == Path("/dev/shm").stat().st_dev


def test_the_memory_of_a_tmpfs_includes_the_kernels_part_per_file() -> None:
    use = TmpfsUse(Path("/tmp"), 1, used_bytes=mmap.PAGESIZE, most_bytes=MIB, files=10, most_files=20)
    assert use.memory_bytes == mmap.PAGESIZE + 10 * procfs.INODE_BYTES


def test_status_and_namespaces_are_those_of_the_process() -> None:
    assert procfs.status(os.getpid())["Pid"] == str(os.getpid())
    ours = procfs.namespaces("self")
    assert set(ours) == set(procfs.NAMESPACES)
    assert all(inode.isdigit() for inode in ours.values())
    with running("") as process:
        assert procfs.namespaces(process.pid) == ours
