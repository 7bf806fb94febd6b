"""The two layers of restrictions that a runner puts on itself. They are permanent and apply to all child processes."""

import os
from collections.abc import Sequence

from pageworker_sandbox.confine import landlock, paths, probes, seccomp_filter, threads
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.landlock import AccessFs
from pageworker_sandbox.confine.syscalls import prctl

PR_SET_DUMPABLE = 4


def allow_exec(programs: Sequence[str]) -> None:
    """Layer 1, before Playwright's driver starts: from now on only these files and folders can be executed.

    The dynamic loader is added automatically. All child processes inherit the restriction, so neither the driver nor
    the browser can start the interpreter. Moving files between folders stays permitted everywhere, because a browser
    does that within its profile and Landlock forbids it if no rule allows it. Raises ConfinementFailed.
    """
    missing = [path for path in programs if not os.path.lexists(path)]
    if missing:
        raise ConfinementFailed(f"no such program in the sandbox: {', '.join(missing)}")
    allowed = dict.fromkeys((*programs, *paths.loaders()), AccessFs.EXECUTE)
    allowed["/"] = AccessFs.REFER
    landlock.restrict(AccessFs.EXECUTE | AccessFs.REFER, allowed, threads=threads.count())


def confine(readable: Sequence[str], filter_fd: int) -> dict[str, str]:
    """Layer 2, once browser and pages are up: the process can read `readable`, and nothing else of the file system.

    It can write no file, read no profile, use no network, execute no program, start no process and signal no other
    process. Then the seccomp filter in `filter_fd`, which is closed, is installed for all threads. Returns what
    Landlock enforces, and the errno name of each probe of `probes.py`. Raises ConfinementFailed if a probe was
    permitted: the runner must end then.
    """
    evidence: dict[str, str] = {"landlock_abi": str(landlock.abi())}
    status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Not dumpable: other processes of our user cannot open our /proc/PID/mem.
        prctl(PR_SET_DUMPABLE, 0)
        restricted = landlock.restrict(
            landlock.all_fs(landlock.abi()),
            dict.fromkeys(readable, AccessFs.READ_FILE | AccessFs.READ_DIR),
            net=True,
            scopes=True,
            threads=threads.count(),
        )
        evidence["landlock"] = " ".join(restricted)
        seccomp_filter.load(filter_fd)
        evidence |= _own_status(status)
    finally:
        os.close(status)
    evidence |= probes.refusals()
    probes.still_works()
    return evidence


def _own_status(descriptor: int) -> dict[str, str]:
    """What /proc/self/status shows. The file was opened before Landlock forbade that. Raises ConfinementFailed."""
    lines = (line.split(":", 1) for line in os.pread(descriptor, 16384, 0).decode().splitlines())
    fields = {key: value.strip() for key, value in lines}
    found = {
        "seccomp": fields.get("Seccomp", ""),
        "seccomp_filters": fields.get("Seccomp_filters", "?"),
        "no_new_privs": fields.get("NoNewPrivs", ""),
        "capabilities": fields.get("CapEff", ""),
    }
    if (found["seccomp"], found["no_new_privs"]) != ("2", "1") or int(found["capabilities"], 16):
        raise ConfinementFailed(f"/proc/self/status shows that the process is not confined: {found}")
    return found
