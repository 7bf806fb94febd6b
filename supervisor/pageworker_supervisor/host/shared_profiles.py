"""Whether several workers may share the folder of profiles. Then a worker that is started as root stays root.

A worker with a user of its own can open only profiles whose files belong to user ids of its own range. Other workers of
the folder, on this host or on another one, use other ranges. Root can open all of them.
"""

import stat
from pathlib import Path

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.rights import ROOT

FOLDER = "profiles"


def shared_profiles(wanted: str | None, data_dir: Path) -> str:
    """Why the profiles of this data folder may be those of other workers, too. "": they are its own.

    `wanted`: the setting `worker.user`. An operator who names a user there has decided that they are. Raises
    HostRefused for a link that another user than root has made: it must not decide what the worker may do. Raises
    OSError.
    """
    if wanted not in {None, "root"}:
        return ""
    folder = data_dir / FOLDER
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return ""
    if stat.S_ISLNK(status.st_mode):
        if status.st_uid != ROOT:
            raise HostRefused(
                f"{folder} is a link that user {status.st_uid} has made",
                f"inspect it, then remove it, or make it root's with `chown -h 0 {folder}`",
            )
        return f"{folder} is a link to another folder"
    return f"{folder} is a file system of its own" if status.st_dev != data_dir.stat().st_dev else ""
