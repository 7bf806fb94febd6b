"""What this host offers to sandboxes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.flavor import Flavor
from pageworker_sandbox.launch.mounts import Mount


@dataclass(frozen=True)
class Host:
    """The result of `survey`. Paths are paths inside a sandbox, except `bubblewrap`."""

    bubblewrap: Path
    """On the host."""
    python: Path
    browsers: Mapping[Flavor, Path]
    """At least one."""
    system: tuple[Mount, ...]
    """Interpreter and libraries, for every sandbox."""
    runner: tuple[Mount, ...]
    """Browser, driver and code of a runner."""
    gateway: tuple[Mount, ...]
    """Code of the gateway and of its dialer."""
    renames: bool = True
    """Whether a sandbox can have its own host name. The default seccomp policies of containers forbid that."""
