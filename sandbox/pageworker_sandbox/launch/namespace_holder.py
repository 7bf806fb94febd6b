"""Makes a user namespace and stays in it until its standard input ends. Started by path: it imports no package.

It prints one byte once the namespace exists. Then the process that started it writes the maps. This process is a
program of its own, because execve(2) makes it dumpable again: the kernel would give the map files of a process that is
not dumpable to root (proc(5)).
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
READY = b"1"


def main() -> None:
    """Ends with the error of unshare(2) if there is one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.write(1, READY)
    os.read(0, 1)


if __name__ == "__main__":
    main()
