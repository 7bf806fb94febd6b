"""A real sandbox with a browser, started under the system call filter of the unit, as the unit's user would."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pyseccomp
import pytest
from pw_sandbox import sandboxes, uids
from pw_systemd.units import UNIT, allowed_calls, values

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.browser,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the unit's user"),
]

CHECKOUT = Path(__file__).resolve().parents[2]
USER = uids.FIRST_UID + 1
SEEN = "/mnt"
SOURCES = ("supervisor", "sandbox", "runner", "profiles", "tests")
# As ProtectSystem=strict and PrivateTmp=yes. Other users may have no access to root's checkout, so it is bound at /mnt.
AS_UNIT = f"""
mount --bind {CHECKOUT} {SEEN}
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -o remount,bind,ro /
cd {SEEN}/tests
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set -all "$@"
"""
FILTERED = """
import os, runpy, sys
from pageworker_sandbox.confine import seccomp_filter
seccomp_filter.load(int(sys.argv.pop(1)))
runpy.run_module("pw_sandbox.supervisor", run_name="__main__")
"""
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


def compiled(without: str = "") -> int:
    """A file with the filter of the unit, apart from this call: what systemd makes of the unit, in one program."""
    program = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))
    for name in sorted(allowed_calls(UNIT) - {"socket", without}):
        if (number := pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)) >= 0:
            program.add_rule(pyseccomp.ALLOW, number)
    for family in values(UNIT, "RestrictAddressFamilies")[0].split():
        program.add_rule(pyseccomp.ALLOW, "socket", pyseccomp.Arg(0, pyseccomp.EQ, FAMILIES[family]))
    descriptor = os.memfd_create("filter")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        program.export_bpf(file)
    return descriptor


def started(descriptor: int) -> str:
    """The line that the program says when the browser in its sandbox is up; "" if it ends before."""
    python = str(Path(SEEN, Path(sys.executable).relative_to(CHECKOUT)))
    program = [python, "-B", "-c", FILTERED, str(descriptor), "/tmp/profile", str(sandboxes.HEADLESS)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/tmp",
        "PYTHONPATH": ":".join(f"{SEEN}/{folder}" for folder in SOURCES),
    }
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", AS_UNIT, "sh", *program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        pass_fds=[descriptor],
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    os.close(descriptor)
    return line


def test_a_sandbox_is_whole_under_the_filter() -> None:
    told = json.loads(started(compiled()))
    assert told["version"]
    assert (told["proof"]["no_new_privs"], told["proof"]["seccomp"], int(told["proof"]["cap_eff"], 16)) == ("1", "2", 0)


@pytest.mark.parametrize("call", ["mount", "landlock_restrict_self", "seccomp"])
def test_each_call_beside_the_usual_ones_is_needed(call: str) -> None:
    assert started(compiled(call)) == ""
