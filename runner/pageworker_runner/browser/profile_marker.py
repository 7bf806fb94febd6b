"""Which profile the browser has opened: read in the folder that its own command line names."""

import os
from pathlib import Path

FILE = "Pageworker Opening"
"""`pageworker_profiles.opening_marker.FILE`. A test holds them together."""
MAX_BYTES = 64
OPTION = b"--user-data-dir="


def profile_marker(pid: int, proc: Path = Path("/proc")) -> str:
    """The marker in the folder of the browser with this main process; "none": there is no folder, or no marker."""
    try:
        command = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
        folder = next((part.removeprefix(OPTION) for part in command if part.startswith(OPTION)), None)
        if folder is None:
            return "none"
        file = os.open(Path(os.fsdecode(folder), FILE), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return "none"
    try:
        return os.read(file, MAX_BYTES).decode("ascii", "replace").strip()
    finally:
        os.close(file)
