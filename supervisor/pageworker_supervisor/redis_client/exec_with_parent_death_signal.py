"""Become a program that ends when its parent does, and can do no more than its user. Run as a script by path, with
`-I -S`: it starts in 10 ms.

    exec_with_parent_death_signal.py PARENT_PID USER FOLDER PROGRAM ARGUMENT…

USER is a user id (and the group id of the same number), or `-`: ours. The program starts in FOLDER, which is entered
before the user changes: folders above it may be closed to that user. It has no capability, and gains none.

The kernel sends SIGTERM when the parent is gone (prctl(2), PR_SET_PDEATHSIG; kept over execve, cleared by a change of
the user): a Redis then flushes and ends.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITIES = 64
EINVAL = 22
CAPABILITY_VERSION_3 = 0x20080522
FILES = 10_032
"""Redis' default of 10,000 clients, and what it opens besides."""

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Never returns."""
    parent, user, folder, program = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        (f"enter {folder}", lambda: os.chdir(folder)),
        ("limit resources", limit),
        ("become another user", lambda: become(None if user == "-" else int(user))),
        ("give up privileges", give_up),
        ("die with the parent", lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)),
    )
    for name, take in steps:
        try:
            take()
        except (OSError, ValueError) as error:
            sys.exit(f"could not {name}: {error}")
    # It may have died before the last step; then no signal will come.
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.umask(0o077)
    os.execve(program[0], program, {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})  # noqa: S606 - no shell is the point


def limit() -> None:
    """No core, in which passwords would be; as many descriptors as it may have."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def become(user: int | None) -> None:
    """That user and no other, without any group but its own."""
    if user is None:
        return
    for number in range(CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != EINVAL:  # past the kernel's last capability
                raise
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def give_up() -> None:
    """No capability, now or by any program that is started."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def prctl(option: int, value: int) -> None:
    """Raises OSError."""
    if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
