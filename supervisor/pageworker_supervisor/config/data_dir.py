"""Chooses and creates the data folder of a worker."""

import os
from pathlib import Path

from pageworker_supervisor.config.settings import Settings


def data_dir_of(settings: Settings) -> Path:
    """`worker.data_dir`, or the default folder of this user. Created with mode 0711, because runners pass through it.

    Raises OSError.
    """
    chosen = settings.worker.data_dir
    if chosen is None:
        root = os.geteuid() == 0
        chosen = Path("/var/lib/pageworker") if root else Path.home() / ".local/share/pageworker"
    chosen.mkdir(mode=0o711, parents=True, exist_ok=True)
    return chosen.resolve()
