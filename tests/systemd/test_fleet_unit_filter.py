"""The fleet process serves under what its unit leaves it: some system calls, a read-only host, few files in /proc."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyseccomp
import pytest
from pw_sandbox import uids
from pw_servers import RedisServer
from pw_systemd.units import FLEET, allowed_calls, entries, values

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the unit's user"),
]

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
from pageworker_supervisor.cli.app import main
main()
"""
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
PROT_WRITE, PROT_EXEC = 2, 4
# MemoryDenyWriteExecute=yes, as systemd's seccomp-util.c has it: no memory that is writable and executable at once, and
# none that becomes executable.
MEMORY_RULES = (("mmap", PROT_WRITE), ("mmap", PROT_EXEC), ("mprotect", PROT_EXEC), ("pkey_mprotect", PROT_EXEC))


def compiled(without: str = "") -> int:
    """A file with the filter of the unit, apart from this call."""
    assert values(FLEET, "MemoryDenyWriteExecute") == ["yes"]
    program = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    narrowed = {"socket", "shmat", *(name for name, _ in MEMORY_RULES)}
    for name in sorted(allowed_calls(FLEET) - {without} - narrowed):
        if (number := pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)) >= 0:
            program.add_rule(pyseccomp.ALLOW, number)
    for name, right in MEMORY_RULES:
        program.add_rule(pyseccomp.ALLOW, name, pyseccomp.Arg(2, pyseccomp.MASKED_EQ, right, 0))
    for family in values(FLEET, "RestrictAddressFamilies")[0].split():
        program.add_rule(pyseccomp.ALLOW, "socket", pyseccomp.Arg(0, pyseccomp.EQ, FAMILIES[family]))
    descriptor = os.memfd_create("filter")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        program.export_bpf(file)
    return descriptor


@contextmanager
def fleet_process(url: str, descriptor: int) -> Iterator[subprocess.Popen[str]]:
    """The command of the unit, on a free port and this Redis."""
    ((_, *words),) = (text.split() for key, text in entries(FLEET) if key == "ExecStart")
    options = ["127.0.0.1:0" if word.startswith("127.0.0.1:") else word for word in words[: words.index("--config")]]
    python = str(Path(SEEN, Path(sys.executable).relative_to(CHECKOUT)))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": ":".join(f"{SEEN}/{folder}" for folder in SOURCES),
        "PAGEWORKER_REDIS__URL": url,
        "PAGEWORKER_WORKER__DATA_DIR": "/nonexistent",
    }
    with subprocess.Popen(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", AS_UNIT, "sh"),
            *(python, "-B", "-c", FILTERED, str(descriptor), *options),
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


def test_the_fleet_process_serves_under_its_unit(live_redis: RedisServer) -> None:
    live_redis.command("RPUSH", "pw:inbox", "{}")
    with fleet_process(live_redis.url, compiled()) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        address = json.loads(line)["address"]
        assert json.loads(process.stdout.readline())["wanted_workers"] == 1
        for path in ("readyz", "metrics", "wanted"):
            assert httpx.get(f"http://{address}/{path}", trust_env=False, timeout=30).is_success
        process.kill()
        assert process.communicate() == ("", ""), "neither an error nor a warning"


def test_the_filter_is_in_force(live_redis: RedisServer) -> None:
    with fleet_process(live_redis.url, compiled(without="listen")) as process:
        output, errors = process.communicate(timeout=60)
    assert output == ""
    assert "Operation not permitted" in errors
