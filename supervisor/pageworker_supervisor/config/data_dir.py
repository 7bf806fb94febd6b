"""Where this worker keeps its files."""

import os
from pathlib import Path

from pageworker_supervisor.config.settings import Settings


def data_dir_of(settings: Settings) -> Path:
    """`worker.data_dir`, or the place that suits the user. Made here, mode 0711: runners pass through it."""
    chosen = settings.worker.data_dir
    if chosen is None:
        root = os.geteuid() == 0
        chosen = Path("/var/lib/pageworker") if root else Path.home() / ".local/share/pageworker"
    chosen.mkdir(mode=0o711, parents=True, exist_ok=True)
    return chosen.resolve()
