"""What this host offers to cells."""

from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.mounts import Mount


@dataclass(frozen=True)
class Host:
    """Paths are those inside a cell, unless they say otherwise."""

    bubblewrap: Path
    """On the host."""
    python: Path
    browser: Path
    system: tuple[Mount, ...]
    """Interpreter and libraries: every cell has them."""
    runner: tuple[Mount, ...]
    """Browser, driver and code of a runner."""
    gateway: tuple[Mount, ...]
    """Code of the gateway and of its dialer."""
    renames: bool = True
    """Whether a cell may have a host name of its own: the default seccomp policies of containers forbid it."""
