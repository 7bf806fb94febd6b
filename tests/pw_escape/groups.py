"""A control group of our own, in which that of the sandboxes is made: `python -m pw_escape.groups NAME`, as root.

A supervisor takes what it finds beside its own group, of processes that it does not see, for leftovers. Those of
attacks are in a pid namespace of their own, so they must not be beside others.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from pageworker_sandbox.launch import cgroup

CONTROLLERS = ("", *sorted(cgroup.WANTED))


def main(name: str) -> None:
    """Move who started us."""
    for controller in CONTROLLERS:
        ours = cgroup.own_folder(controller)
        if ours is not None and os.access(ours, os.W_OK):
            with suppress(OSError):
                (ours / name).mkdir(exist_ok=True)
                (ours / name / "cgroup.procs").write_text(str(os.getppid()))


def remove(name: str) -> None:
    """Once it is empty."""
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
