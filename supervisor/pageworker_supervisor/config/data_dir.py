"""Chooses and creates the data folder of a worker, and says whose the files in it are."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from pageworker_supervisor.config.settings import Settings


def give_to_worker(descriptor: int, folder: Path) -> None:
    """A command of root has made this file in the data folder. Give it to the owner of the folder, the worker's user.

    Raises OSError.
    """
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def open_regular(file: Path) -> int:
    """A descriptor of a file in the data folder, to read. A link is not followed, and a pipe is not waited for.

    The worker's user, who may put both there, could have a command of root wait for ever. Raises OSError.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return descriptor


def open_workers_file(file: Path, data_dir: Path) -> int:
    """The same for a file whose content is sent to a program of the worker's user. As root, only a file of this user.

    Otherwise this user could put a hard link there, or move the folder above, and learn what only root may read. Raises
    OSError.
    """
    descriptor = open_regular(file)
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != data_dir.stat().st_uid:
        os.close(descriptor)
        raise PermissionError(errno.EACCES, f"it does not belong to the owner of {data_dir}", str(file))
    return descriptor


def own_folder(folder: Path) -> Path:
    """The same folder in the data folder, for a command that writes there. As root, no link that another user has made
    or could have put there.

    Such a link could lead anywhere, and root could write there. The owner of a folder may rename a link of root that is
    in it. Raises OSError.
    """
    with suppress(FileNotFoundError):
        status = folder.lstat()
        owner = status.st_uid or folder.parent.stat().st_uid
        if os.geteuid() == 0 and owner != 0 and stat.S_ISLNK(status.st_mode):
            raise PermissionError(
                errno.EACCES,
                f"it is a link that user {owner} has made or put there; remove it, or name its target",
                str(folder),
            )
    return folder


def own_path(data_dir: Path, *names: str) -> Path:
    """A folder in the data folder, of which no part of `names` is such a link. Raises OSError."""
    for name in names:
        data_dir = own_folder(data_dir / name)
    return data_dir


def data_dir_of(settings: Settings) -> Path:
    """`worker.data_dir`, or the default folder of this user. Created with mode 0711, because runners pass through it.

    Raises OSError.
    """
    chosen = chosen_data_dir(settings)
    chosen.mkdir(mode=0o711, parents=True, exist_ok=True)
    return chosen.resolve()


def chosen_data_dir(settings: Settings) -> Path:
    """The same path, which may not exist."""
    if settings.worker.data_dir is not None:
        return settings.worker.data_dir
    return Path("/var/lib/pageworker") if os.geteuid() == 0 else Path.home() / ".local/share/pageworker"
