"""Become a program that ends when its parent does. Run as a script by path, with `-I -S`: it starts in 10 ms.

    tether.py PARENT_PID PROGRAM ARGUMENT…

The kernel sends SIGTERM when the parent is gone (prctl(2), PR_SET_PDEATHSIG; kept over execve): a Redis then
flushes and ends.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # It may have died before the line above; then no signal will come.
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(program[0], program)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
