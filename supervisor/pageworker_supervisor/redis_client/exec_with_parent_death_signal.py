"""Executes a program that ends with its parent and has no privileges.

    exec_with_parent_death_signal.py PARENT_PID NAMESPACE USER FOLDER PROGRAM ARGUMENT…

USER is a user id (and the group id of the same number), or `-` for the current user. NAMESPACE is an inherited
descriptor of a user namespace in which this script may become USER, or `-` as root. The program starts in FOLDER. This
script enters FOLDER before it changes the user, because that user may have no access to the folders above. The program
has no capability and can gain none.

The kernel sends SIGTERM when the parent ends (prctl(2), PR_SET_PDEATHSIG). The setting survives execve, but a change of
the user clears it, so it comes last. Redis then flushes and ends.

This script runs by path with `python -I -S`, so that it starts in 10 ms. It imports nothing of pageworker.
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
CLONE_NEWUSER = 0x10000000
EINVAL = 22
CAPABILITY_VERSION_3 = 0x20080522
FILES = 10_032
"""Redis' default of 10,000 clients, and 32 files of its own."""
PASSED = "PAGEWORKER_"
"""Variables of the environment that the program gets: those that the caller gave this script."""

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Take every step, then execute the program. Never returns."""
    parent, namespace, user, folder, program = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        (f"enter {folder}", lambda: os.chdir(folder)),
        ("limit resources", limit_resources),
        ("enter the user namespace", lambda: enter(None if namespace == "-" else int(namespace))),
        ("change the user", lambda: change_user(None if user == "-" else int(user))),
        ("drop privileges", drop_privileges),
        ("set the parent death signal", lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)),
    )
    for name, take in steps:
        try:
            take()
        except (OSError, ValueError) as error:
            sys.exit(f"could not {name}: {error}")
    # The parent may have ended before the last step: then no signal comes.
    if os.getppid() != parent:
        sys.exit("the parent process has ended")
    os.umask(0o077)
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED)}
    os.execve(program[0], program, passed | {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})  # noqa: S606 - no shell is the point


def limit_resources() -> None:
    """No core file, which would hold passwords. Enough descriptors, as far as the hard limit allows."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def enter(namespace: int | None) -> None:
    """Enter the user namespace. None: stay in this one."""
    if namespace is not None:
        if libc.setns(namespace, CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.close(namespace)


def change_user(user: int | None) -> None:
    """Change to that user and its own group, without supplementary groups and without a way back."""
    if user is None:
        return
    for number in range(CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != EINVAL:  # beyond the last capability of this kernel
                raise
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def drop_privileges() -> None:
    """No capability now, and none through any program that is executed later."""
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
