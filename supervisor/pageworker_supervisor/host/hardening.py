"""What the daemon gives up for good before it does anything else. All that it starts inherits the first two.

- No core dumps (setrlimit(2)): a core of the supervisor holds every tenant's secrets.
- No new privileges (prctl(2), PR_SET_NO_NEW_PRIVS): no setuid program and no file capability gives anything to the
  daemon, its Redis, its gateway, its runners or a helper. Nothing here needs such a program: bubblewrap works through
  user namespaces, and a setuid one is refused.
- Not dumpable (PR_SET_DUMPABLE): no other process of the same user may trace it, or read its memory, environment and
  descriptors through /proc. The kernel resets this for programs that are started: runners set it themselves.
"""

import ctypes
import os
import resource

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38


def harden() -> None:
    """May be called again. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")
