"""Whether a descriptor is free, asked of the kernel, and told apart by whose limit is reached."""

import errno
import os
import subprocess
import sys

import pytest

from pageworker_supervisor.host.descriptor_check import descriptor_trouble

USED_UP = """
import os, resource
from pageworker_supervisor.host.descriptor_check import descriptor_trouble
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    full = descriptor_trouble()
os.close(taken.pop())
assert descriptor_trouble() == ""
print(full)
"""


def test_there_is_no_trouble_while_a_descriptor_is_free() -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert descriptor_trouble() == ""
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_process_at_its_limit_is_told_so() -> None:
    done = subprocess.run([sys.executable, "-c", USED_UP], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("this process has no free file descriptors")
    assert "LimitNOFILE" in done.stdout


def test_a_process_with_too_few_is_told_how_many_it_has() -> None:
    script = USED_UP.replace("full = descriptor_trouble()", "os.close(taken.pop()); full = descriptor_trouble(3)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("this process has 1 free file descriptors, and needs 3 (Too many open files)")


def test_a_host_at_its_limit_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr(os, "open", fail)
    assert descriptor_trouble().startswith("this host has no free")


def test_another_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(PermissionError):
        descriptor_trouble()
