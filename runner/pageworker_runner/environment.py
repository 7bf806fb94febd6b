"""What the runner stands on: where its profile is, and how it gives up its rights. Tests bring a softer one."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from playwright._impl._driver import compute_driver_executable

from pageworker_sandbox import confine

PROFILE = Path("/profile")


class Confinement(Protocol):
    """The two steps by which this process gives up rights, for ever."""

    def allow_exec(self, programs: Sequence[str]) -> None:
        """Only these files and folders can be executed from now on."""

    def confine(self) -> dict[str, str]:
        """Files, network, programs, processes: given up. Returns the kernel's answers to forbidden acts."""


class KernelConfinement:
    """The real one. `filter_fd`: the compiled seccomp filter."""

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
    """`profile`: the browser's user data folder."""

    confinement: Confinement
    profile: Path = PROFILE


def programs(browser: str) -> list[str]:
    """All that has to be executed: Playwright's Node.js, and the browser with the helpers beside it."""
    node, _ = compute_driver_executable()
    return [os.path.realpath(node), str(Path(browser).resolve().parent)]
