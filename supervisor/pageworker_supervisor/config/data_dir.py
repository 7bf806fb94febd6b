"""Chooses and creates the data folder of a worker."""

import os
from pathlib import Path

from pageworker_supervisor.config.settings import Settings


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
