"""Chooses and creates the data folder of a worker, and says whose the files in it are."""

import os
from pathlib import Path

from pageworker_supervisor.config.settings import Settings


def give_to_worker(descriptor: int, folder: Path) -> None:
    """A command of root has made this file in the data folder. Give it to the owner of the folder, the worker's user.

    Raises OSError.
    """
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


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
