"""A cgroup that will hold the cgroups of the attacked sandboxes: `python -m pw_escape.groups NAME`, as root.

A supervisor removes the cgroups beside its own whose processes it does not see. The processes of attacks are in another
pid namespace, so their cgroups must not be beside those of other supervisors.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from pageworker_sandbox.launch import cgroup

CONTROLLERS = ("", *sorted(cgroup.WANTED))


def main(name: str) -> None:
    """Move the parent process into the cgroup."""
    for controller in CONTROLLERS:
        ours = cgroup.own_folder(controller)
        if ours is not None and os.access(ours, os.W_OK):
            with suppress(OSError):
                (ours / name).mkdir(exist_ok=True)
                (ours / name / "cgroup.procs").write_text(str(os.getppid()))


def remove(name: str) -> None:
    """Remove the cgroup. Its processes must have ended."""
    for controller in CONTROLLERS:
        ours = cgroup.own_folder(controller)
        if ours is not None and (ours / name).exists():
            _remove(ours / name)


def _remove(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir():
            _remove(child)
    with suppress(OSError):
        folder.rmdir()


if __name__ == "__main__":
    main(sys.argv[1])
