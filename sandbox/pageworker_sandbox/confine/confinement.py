"""The two layers a runner puts on itself. Both are for ever, for the whole process tree below."""

import os
from collections.abc import Sequence

from pageworker_sandbox.confine import landlock, paths, probes, seccomp_filter, threads
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.landlock import Fs
from pageworker_sandbox.confine.syscalls import prctl

PR_SET_DUMPABLE = 4


def allow_exec(programs: Sequence[str]) -> None:
    """Layer 1, before Playwright's driver starts: only these files and folders can be executed from now on.

    The dynamic loader is added by itself. Everything that is started later inherits it, so neither the
    driver nor the browser can start the interpreter. Moving files between folders stays permitted (a browser
    does that within its profile), which Landlock takes away wherever it is not named. Raises ConfinementFailed.
    """
    missing = [path for path in programs if not os.path.lexists(path)]
    if missing:
        raise ConfinementFailed(f"no such program: {', '.join(missing)}")
    allowed = dict.fromkeys((*programs, *paths.loaders()), Fs.EXECUTE)
    allowed["/"] = Fs.REFER
    landlock.restrict(Fs.EXECUTE | Fs.REFER, allowed, threads=threads.count())


def confine(readable: Sequence[str], filter_fd: int) -> dict[str, str]:
    """Layer 2, once browser and pages are up: reading the interpreter is all that is left of the file system.

    No write, no profile, no network, no program, no process, no signal to others; then the seccomp filter of
    `filter_fd` (which is closed) for all threads. Returns what the kernel answered to forbidden acts. Raises
    ConfinementFailed where any of it was permitted: the runner must end then.
    """
    evidence: dict[str, str] = {"landlock_abi": str(landlock.abi())}
    status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Not dumpable: others with our user can not open our /proc/PID/mem.
        prctl(PR_SET_DUMPABLE, 0)
        landlock.restrict(
            landlock.all_fs(landlock.abi()),
            dict.fromkeys(readable, Fs.READ_FILE | Fs.READ_DIR),
            net=True,
            scopes=True,
            threads=threads.count(),
        )
        seccomp_filter.load(filter_fd)
        evidence |= _own_status(status)
    finally:
        os.close(status)
    evidence |= probes.refusals()
    probes.still_works()
    return evidence


def _own_status(descriptor: int) -> dict[str, str]:
    """The kernel's words about us, through a file that could not be opened any more."""
    lines = (line.split(":", 1) for line in os.pread(descriptor, 16384, 0).decode().splitlines())
    fields = {key: value.strip() for key, value in lines}
    found = {
        "seccomp": fields.get("Seccomp", ""),
        "seccomp_filters": fields.get("Seccomp_filters", "?"),
        "no_new_privs": fields.get("NoNewPrivs", ""),
        "capabilities": fields.get("CapEff", ""),
    }
    if (found["seccomp"], found["no_new_privs"]) != ("2", "1") or int(found["capabilities"], 16):
        raise ConfinementFailed(f"the kernel says of us: {found}")
    return found
