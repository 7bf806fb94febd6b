"""What a host needs, each thing really tried. For the operator."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.launch import cgroup
from pageworker_sandbox.launch.browser import find_browser
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit
from pageworker_sandbox.launch.interpreter import find_interpreter
from pageworker_sandbox.launch.preflight import INSTALL_BUBBLEWRAP, check_policies, find_bubblewrap, survey
from pageworker_sandbox.launch.root_layout import FONTS
from pageworker_sandbox.launch.run_program import run_program
from pageworker_sandbox.launch.self_test import ALLOW_NAMESPACES, ALLOW_PROC, NOBODY

OLDEST_BUBBLEWRAP = (0, 4, 0)
WHOLE_LANDLOCK = 6
ASK_SECONDS = 20.0


@dataclass(frozen=True)
class HostCheck:
    """One thing a host needs, or profits from (then it is `ok` either way, and `found` says what there is)."""

    name: str
    ok: bool
    found: str
    mend: str


def checks(python: Path | None = None, browser: Path | None = None) -> list[HostCheck]:
    """Look at everything, from the simple to the whole."""
    looks: tuple[Callable[[], HostCheck], ...] = (
        check_bubblewrap,
        lambda: _bubblewrapped("user namespaces", ["--unshare-user"], ALLOW_NAMESPACES),
        lambda: _bubblewrapped("all namespaces", ["--unshare-all"], ALLOW_NAMESPACES),
        lambda: _bubblewrapped("fresh /proc", ["--unshare-all", "--proc", "/proc"], ALLOW_PROC),
        lambda: _problem("seccomp policies", check_policies(), "runner, confined, gateway and dialer compile"),
        check_landlock,
        lambda: check_interpreter(python),
        lambda: check_browser(browser),
        lambda: check_cell(python, browser),
        check_cgroup,
        check_fonts,
    )
    return [look() for look in looks]


def check_bubblewrap() -> HostCheck:
    """Installed, not setuid, new enough."""
    name = "bubblewrap"
    found = find_bubblewrap()
    if isinstance(found, HostProblem):
        return _problem(name, found, "")
    said = run_program([found, "--version"], ASK_SECONDS).stdout.strip()
    version = tuple(map(int, re.findall(r"\d+", said)))
    return HostCheck(name, version >= OLDEST_BUBBLEWRAP, f"{said} at {found}", INSTALL_BUBBLEWRAP)


def check_landlock() -> HostCheck:
    """There at all; from ABI 6 on with everything this wall can use."""
    version = landlock.abi()
    found = "none" if version < 1 else f"ABI {version}"
    if 0 < version < WHOLE_LANDLOCK:
        found += " (signals and abstract sockets are left to seccomp and namespaces before ABI 6)"
    return HostCheck("Landlock", version >= 1, found, "Linux 5.13 or newer, with landlock in the kernel's lsm= list")


def check_interpreter(python: Path | None) -> HostCheck:
    """A Python that fits the installed packages."""
    found = find_interpreter(python)
    return _problem("interpreter", found if isinstance(found, HostProblem) else None, str(getattr(found, "source", "")))


def check_browser(browser: Path | None) -> HostCheck:
    """A browser binary that starts."""
    found = find_browser(browser)
    if isinstance(found, HostProblem):
        return _problem("browser", found, "")
    try:
        said = run_program([found.source, "--version"], ASK_SECONDS)
        said.check_returncode()
    except (OSError, subprocess.SubprocessError) as error:
        return HostCheck("browser", False, f"{found.source}: {error}", "install it again")
    return HostCheck("browser", True, f"{said.stdout.strip()} at {found.source}", "")


def check_cell(python: Path | None, browser: Path | None) -> HostCheck:
    """A whole cell, started and ended."""
    try:
        survey(python, browser)
    except HostUnfit as unfit:
        problem = unfit.problems[-1]
        return HostCheck("a whole cell", False, problem.what, problem.mend)
    user = "a user of its own" if os.geteuid() == 0 else "this user"
    return HostCheck("a whole cell", True, f"started under {user}", "")


def check_cgroup() -> HostCheck:
    """Where the kernel's own limits are to be had; a cell is limited by other means where they are not."""
    home = cgroup.home()
    if home is None:
        found = "none to make cells' own in: rlimits and the watch on memory stand in"
    elif not home.controllers:
        found = "cells get one, without the memory and pids controllers: rlimits and the watch on memory stand in"
    else:
        found = f"cells get one with {', '.join(sorted(home.controllers))}"
    return HostCheck("cgroup", True, found, "for limits by the kernel: systemd's Delegate=yes in a unit of its own")


def check_fonts() -> HostCheck:
    """Pages without fonts are pages of boxes."""
    files = [path for folder in FONTS[:2] for path in Path(folder).rglob("*.[to]tf")]
    return HostCheck(
        "fonts", bool(files), f"{len(files)} font files", "install fonts (Debian: apt install fonts-liberation)"
    )


def _bubblewrapped(name: str, options: list[str], mend: str) -> HostCheck:
    """Whether an ordinary user's bubblewrap can do this."""
    found = find_bubblewrap()
    if isinstance(found, HostProblem):
        return _problem(name, found, "")
    user = NOBODY if os.geteuid() == 0 else None
    ended = run_program(
        [found, "--ro-bind", "/", "/", *options, "--", found, "--version"],
        ASK_SECONDS,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        env={},
    )
    works = ended.returncode == 0
    return HostCheck(name, works, "an ordinary user can" if works else ended.stderr.strip(), "" if works else mend)


def _problem(name: str, problem: HostProblem | None, found: str) -> HostCheck:
    if problem is None:
        return HostCheck(name, True, found, "")
    return HostCheck(name, False, f"{problem.what} ({problem.where})", problem.mend)
