"""Capabilities are given up for good, by this process and by all that it starts."""

import os
import subprocess
import sys

import pytest
from pw_rights import SKIP_REASON, as_user, can_run

from pageworker_supervisor.host.capabilities import own_rights

LOOK = """
import subprocess, threading
from pageworker_supervisor.host.capabilities import give_up_capabilities, own_rights
print(own_rights())
{threads}
give_up_capabilities()
give_up_capabilities()
print(own_rights())
child = subprocess.run(["grep", "-E", "^Cap(Inh|Prm|Eff|Amb)", "/proc/self/status"], capture_output=True, text=True)
print(*{{line.split()[1] for line in child.stdout.splitlines()}})
"""
ANOTHER_THREAD = "threading.Thread(target=threading.Event().wait, daemon=True).start()"


def look(threads: str = "") -> "subprocess.CompletedProcess[str]":
    command = as_user(sys.executable, "-c", LOOK.format(threads=threads))
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.mark.skipif(not can_run(), reason=SKIP_REASON)
def test_nothing_is_left_for_it_and_for_its_children() -> None:
    done = look()
    assert done.stdout.splitlines() == [
        "user 54322 with CAP_SETGID, CAP_SETUID",
        "user 54322 with no capability",
        "0000000000000000",
    ], done.stderr


@pytest.mark.skipif(not can_run(), reason=SKIP_REASON)
def test_another_thread_would_keep_them_so_that_is_a_bug() -> None:
    done = look(ANOTHER_THREAD)
    assert "RuntimeError: capabilities are those of a thread, and this process has 2 threads" in done.stderr


def test_the_rights_of_this_process_are_found() -> None:
    assert own_rights().uid == os.geteuid()
