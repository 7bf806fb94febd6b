"""Where a worker's control socket is. `workerctl` imports this file without those of the servers."""

from pathlib import Path

CONTROL_SOCKET = "control.sock"


def control_path(data_dir: Path) -> Path:
    """The control socket of the worker that uses this data folder."""
    return data_dir / CONTROL_SOCKET
