"""The folder worker: walks a folder in a process of its own, outside the daemon's event loop and at low priority.

    folder_worker.py PARENT_PID NAMESPACE prepare FOLDER MAX_FILES MAX_BYTES UID GID FD MARKER [VERSION]
    folder_worker.py PARENT_PID NAMESPACE measure FOLDER MAX_FILES MAX_BYTES
    folder_worker.py PARENT_PID NAMESPACE remove FOLDER
    folder_worker.py PARENT_PID NAMESPACE check FOLDER                         message: empty
    folder_worker.py PARENT_PID NAMESPACE move FOLDER                          message: to
    folder_worker.py PARENT_PID NAMESPACE pack FOLDER MAX_FILES MAX_BYTES      message: file, key, bound, packages
    folder_worker.py PARENT_PID NAMESPACE unpack FOLDER MAX_FILES MAX_BYTES    message: the same

NAMESPACE is an inherited descriptor of the daemon's user namespace, in which this worker may read and change the
folders of the runners' users. `-`: the daemon has none.

UID -1: keep the owner. MARKER: see opening_marker.py. VERSION: four numbers, of the browser that will use the folder.

FD is an inherited descriptor of the folder, which is prepared whatever FOLDER names by now. The daemon runs the worker
as a script by path, with `-I -S`, and may kill it at any time. It writes one dict to stdout, in marshal format because
importing json costs milliseconds: `files` and `bytes`, or `error` (a class of errors.py), `text` and `fields`. The next
walk repeats one that was killed: see trees.reown. A message is a dict on stdin, also in marshal format:
snapshots/transfers.py has its fields.
"""

import ctypes
import marshal
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NICENESS = 10


def main(arguments: list[str]) -> None:
    """Do one action. Exit status 1 if the parent has ended."""
    parent, namespace, action, folder, *numbers = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if namespace != "-" and libc.setns(int(namespace), CLONE_NEWUSER) != 0:
        sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
    # A change of credentials would undo this, so it comes after.
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have ended before the prctl above. Then no signal comes.
    if os.getppid() != int(parent):
        sys.exit(1)
    os.nice(NICENESS)
    # Import the package without its __init__: that imports modules which no walk needs and takes 30 of 50 ms.
    package = ModuleType("pageworker_profiles")
    package.__path__ = [str(Path(__file__).parent)]
    sys.modules[package.__name__] = package
    from pageworker_profiles import walks

    sys.stdout.buffer.write(marshal.dumps(walks.answer(action, Path(folder), list(map(int, numbers)))))


if __name__ == "__main__":
    main(sys.argv[1:])
