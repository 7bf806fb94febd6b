"""Runs a program under what its unit leaves it: some system calls, a read-only host, few files in /proc."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyseccomp
from pw_sandbox import uids

from pw_systemd.units import allowed_calls, values

CHECKOUT = Path(__file__).resolve().parents[2]
USER = uids.FIRST_UID + 1
SEEN = "/mnt"
SOURCES = ("supervisor", "sandbox", "runner", "profiles")
# ProtectSystem=strict, PrivateTmp=yes, ProcSubset=pid, ProtectProc=invisible, CapabilityBoundingSet=. Other users may
# have no access to root's checkout, so it is bound at /mnt.
AS_UNIT = f"""
mount --bind {CHECKOUT} {SEEN}
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t proc -o subset=pid,hidepid=invisible proc /proc
mount -o remount,bind,ro /
cd /
exec setpriv --pdeathsig KILL --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set -all "$@"
"""
FILTERED = """
import sys
from pageworker_sandbox.confine import seccomp_filter
seccomp_filter.load(int(sys.argv.pop(1)))
from importlib import import_module
import_module(sys.argv.pop(1)).main()
"""
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
PROT_WRITE, PROT_EXEC = 2, 4
# MemoryDenyWriteExecute=yes, as systemd's seccomp-util.c has it: no memory that is writable and executable at once, and
# none that becomes executable.
MEMORY_RULES = (("mmap", PROT_WRITE), ("mmap", PROT_EXEC), ("mprotect", PROT_EXEC), ("pkey_mprotect", PROT_EXEC))


def compiled_filter(unit: Path, without: str = "") -> int:
    """A file with the filter of the unit, apart from this call."""
    assert values(unit, "MemoryDenyWriteExecute") == ["yes"]
    program = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    narrowed = {"socket", "shmat", *(name for name, _ in MEMORY_RULES)}
    for name in sorted(allowed_calls(unit) - {without} - narrowed):
        if (number := pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)) >= 0:
            program.add_rule(pyseccomp.ALLOW, number)
    for name, right in MEMORY_RULES:
        program.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(2, pyseccomp.MASKED_EQ, right, 0))
    for family in values(unit, "RestrictAddressFamilies")[0].split():
        program.add_rule(pyseccomp.ALLOW, "socket", pyseccomp.Arg(0, pyseccomp.EQ, FAMILIES[family]))
    descriptor = os.memfd_create("filter")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        program.export_bpf(file)
    return descriptor


@contextmanager
def process_under(
    descriptor: int, main: str, options: Sequence[str], settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """The `main` of this module with these options, under the filter of this file. `settings`: further variables."""
    python = str(Path(SEEN, Path(sys.executable).relative_to(CHECKOUT)))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": ":".join(f"{SEEN}/{folder}" for folder in SOURCES),
        "PAGEWORKER_WORKER__DATA_DIR": "/nonexistent",
        **settings,
    }
    with subprocess.Popen(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", AS_UNIT, "sh"),
            *(python, "-B", "-c", FILTERED, str(descriptor), main, *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        pass_fds=[descriptor],
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            os.close(descriptor)
