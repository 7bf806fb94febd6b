"""Walks a folder in a process of its own: beside the daemon's event loop, at low priority, and killed at any time.

    folder_worker.py PARENT_PID prepare FOLDER MAX_FILES MAX_BYTES UID GID     UID -1: whoever has it
    folder_worker.py PARENT_PID measure FOLDER MAX_FILES MAX_BYTES
    folder_worker.py PARENT_PID remove FOLDER

Run as a script by path, with `-I -S`, by the interpreter of the daemon. Writes one dict to stdout (marshal: json costs
milliseconds): `files` and `bytes`, or `error` (a class of errors.py), `text` and `fields`. A walk that was killed is
done again by the next: see trees.reown.
"""

import ctypes
import marshal
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

PR_SET_PDEATHSIG = 1
NICENESS = 10


def main(arguments: list[str]) -> None:
    """Exit status 1 where the parent is gone."""
    parent, act, folder, *numbers = arguments
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # It may have died before the line above; then no signal will come.
    if os.getppid() != int(parent):
        sys.exit(1)
    os.nice(NICENESS)
    # The package without its __init__, which imports what no walk needs: 30 of 50 ms.
    package = ModuleType("pageworker_profiles")
    package.__path__ = [str(Path(__file__).parent)]
    sys.modules[package.__name__] = package
    from pageworker_profiles import walks

    sys.stdout.buffer.write(marshal.dumps(walks.answer(act, Path(folder), list(map(int, numbers)))))


if __name__ == "__main__":
    main(sys.argv[1:])
