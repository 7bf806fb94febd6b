"""Privileges that the daemon drops for good before it does anything else. Its child processes inherit the first two.

- No core dumps (setrlimit(2)): a core file of the supervisor would hold every tenant's secrets.
- No new privileges (prctl(2), PR_SET_NO_NEW_PRIVS): setuid programs and file capabilities have no effect for the
  daemon, its Redis, its gateway, its runners and its helpers. pageworker needs no such program: bubblewrap uses user
  namespaces, and a setuid bubblewrap is refused.
- Not dumpable (PR_SET_DUMPABLE): no other process of the same user may trace it, or read its memory, environment and
  descriptors through /proc. execve(2) resets this, so runners set it themselves.
"""

import ctypes
import os
import resource

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38


def harden() -> None:
    """Drop them. A second call changes nothing. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")
