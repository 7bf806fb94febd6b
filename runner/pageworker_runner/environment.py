"""What the runner's process finds around it: the profile folder, and the way to give up its rights.

Tests replace the confinement by one that gives up nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pageworker_sandbox import confine

PROFILE = Path("/profile")


class Confinement(Protocol):
    """The two steps by which this process gives up rights for good."""

    def allow_exec(self, programs: Sequence[str]) -> None:
        """Forbid to execute anything but these files and the files in these folders."""

    def confine(self) -> dict[str, str]:
        """Give up files, network, programs and new processes. Returns the kernel's answers to forbidden calls."""


class KernelConfinement:
    """The real confinement. `filter_fd` holds the compiled seccomp filter."""

    def __init__(self, filter_fd: int) -> None:
        self._filter_fd = filter_fd

    def allow_exec(self, programs: Sequence[str]) -> None:
        """See Confinement. Raises ConfinementFailed."""
        confine.allow_exec(programs)

    def confine(self) -> dict[str, str]:
        """See Confinement. Raises ConfinementFailed."""
        return confine.confine(confine.interpreter(), self._filter_fd)


@dataclass(frozen=True)
class RunnerEnvironment:
    """`profile` is the browser's user data folder."""

    confinement: Confinement
    profile: Path = PROFILE


def programs(browser: str, node: Path) -> list[str]:
    """Everything that must be executable: Playwright's Node.js, and the browser with the helpers beside it."""
    return [str(node.resolve()), str(Path(browser).resolve().parent)]
