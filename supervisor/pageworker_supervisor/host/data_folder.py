"""Whether the worker can write to its data folder. If not, says what is wrong with it, and how to fix that."""

import errno
import os
import pwd
import tempfile
from pathlib import Path

from pageworker_supervisor.config.data_dir import chosen_data_dir, data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.host.errors import DataFolderFull, DataFolderUnusable

LEAST_BYTES = 1024 * 1024
"""The least space with which a worker starts."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def usable_data_dir(settings: Settings) -> Path:
    """The data folder, created if it does not exist. A file is written to it, and is gone again.

    Raises DataFolderUnusable, DataFolderFull; any other OSError, such as one of a failing disk, with the folder in it.
    """
    try:
        folder = data_dir_of(settings)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, LEAST_BYTES)
    except OSError as error:
        raise explain(error, chosen_data_dir(settings), os.geteuid()) from error
    return folder


def explain(error: OSError, folder: Path, user: int) -> Exception:
    """The error for an operator. `user`: the user id of the worker."""
    other = "set worker.data_dir to another folder"
    match error.errno:
        case number if number in FULL:
            what = f"the data folder {folder} is full ({error.strerror})"
            return DataFolderFull(what, f"free at least {LEAST_BYTES // 1024} KiB and one inode, or {other}")
        case errno.EROFS:
            mend = "mount it with write access (in a systemd unit: StateDirectory= or ReadWritePaths=)"
            return DataFolderUnusable(f"the data folder {folder} is on a read-only file system", f"{mend}, or {other}")
        case errno.EACCES | errno.EPERM:
            what = f"user {_name(user)} may not write to the data folder {folder}{_owner(folder)}"
            return DataFolderUnusable(what, f"run `chown -R {_name(user)} {folder}`, start as its owner, or {other}")
        case errno.ENOTDIR | errno.EEXIST:
            return DataFolderUnusable(f"the data folder {folder}, or what is above it, is no folder", other)
        case _:
            return OSError(error.errno, f"the data folder {folder} cannot be used: {error.strerror}; {other}")


def _owner(folder: Path) -> str:
    """Whose it is. Of a folder that does not exist: whose is the nearest above it that does."""
    for path in (folder, *folder.parents):
        try:
            owner = _name(path.stat().st_uid)
        except OSError:
            continue
        return f", which belongs to user {owner}" if path == folder else f": {path} belongs to user {owner}"
    return ""


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
