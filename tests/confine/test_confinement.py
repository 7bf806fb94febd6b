"""The two layers in a process without a sandbox around it: the layers alone must do what they promise."""

import os
import struct

import pytest
from pw_sandbox.confined_child import run

from pageworker_sandbox.confine import ConfinementFailed, allow_exec, landlock
from pageworker_sandbox.launch import seccomp

AS_ORDINARY_USER = """
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
"""
"""A runner has no capability. Root's process has some until it becomes another user."""
needs_landlock = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfinementFailed, match=r"no such program in the sandbox: /nonexistent/node"):
        allow_exec(["/bin/sh", "/nonexistent/node"])


@needs_landlock
def test_after_layer_1_only_the_named_program_starts() -> None:
    code = """
import subprocess
from pageworker_sandbox import confine
allowed, other = os.path.realpath("/bin/sleep"), os.path.realpath("/bin/true")
confine.allow_exec([allowed])
answer = [subprocess.run([allowed, "0"]).returncode, attempt(lambda: subprocess.run([other]))]
"""
    assert run(code) == [0, "EACCES"]


@needs_landlock
def test_a_layer_2_that_is_less_than_whole_is_refused() -> None:
    # A filter that allows everything: the first probe that Landlock does not stop succeeds, and that is an error.
    allow_all = os.memfd_create("filter")
    os.write(allow_all, struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    code = f"""
from pageworker_sandbox import confine
{AS_ORDINARY_USER}
try:
    confine.confine(confine.interpreter(), {allow_all})
    answer = "confined"
except confine.ConfinementFailed as error:
    answer = str(error)
"""
    try:
        assert run(code, pass_fds=(allow_all,)).startswith("probe ")
    finally:
        os.close(allow_all)


@needs_landlock
def test_after_layer_2_the_interpreter_is_readable_and_nothing_else_works() -> None:
    filter_fd = os.memfd_create("filter")
    os.write(filter_fd, seccomp.compiled("confined"))
    code = f"""
from pageworker_sandbox import confine
{AS_ORDINARY_USER}
readable = confine.interpreter()
found = confine.confine(readable, {filter_fd})
folders = ("/", os.path.dirname(os.__file__))
answer = [found["seccomp"], found["fork"], *(attempt(lambda path=path: os.listdir(path)) for path in folders)]
"""
    try:
        assert run(code, pass_fds=(filter_fd,)) == ["2", "EPERM", "EACCES", "permitted"]
    finally:
        os.close(filter_fd)
