"""The sandbox part of `workerctl doctor`: each requirement of the host is tried for real."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.flavor import FlavorWish
from pageworker_sandbox.launch import apparmor, cgroup, fonts
from pageworker_sandbox.launch.browser import find_browsers
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit
from pageworker_sandbox.launch.host import OVERFLOW_UID
from pageworker_sandbox.launch.interpreter import find_interpreter
from pageworker_sandbox.launch.preflight import INSTALL_BUBBLEWRAP, check_policies, find_bubblewrap, survey
from pageworker_sandbox.launch.run_program import run_program
from pageworker_sandbox.launch.self_test import ALLOW_NAMESPACES, ALLOW_PROC

OLDEST_BUBBLEWRAP = (0, 4, 0)
PROGRAM_SECONDS = 20.0


@dataclass(frozen=True)
class HostCheck:
    """One requirement of the host, or one feature that it should have. A missing feature is `ok`: see `found`."""

    name: str
    ok: bool
    found: str
    mend: str


def checks(python: Path | None = None, browser: Path | None = None, flavor: FlavorWish = "auto") -> list[HostCheck]:
    """Run all checks, from single features to a whole sandbox."""
    all_checks: tuple[Callable[[], HostCheck], ...] = (
        check_bubblewrap,
        check_apparmor,
        lambda: _check_bubblewrap_options("user namespaces", ["--unshare-user"], ALLOW_NAMESPACES),
        lambda: _check_bubblewrap_options("all namespaces", ["--unshare-all"], ALLOW_NAMESPACES),
        lambda: _check_bubblewrap_options("fresh /proc", ["--unshare-all", "--proc", "/proc"], ALLOW_PROC),
        lambda: _from_problem("seccomp policies", check_policies(), "runner, confined, gateway and dialer compile"),
        check_landlock,
        lambda: check_interpreter(python),
        lambda: check_browser(browser, flavor),
        lambda: check_sandbox(python, browser, flavor),
        check_cgroup,
        check_fonts,
    )
    return [check() for check in all_checks]


def check_bubblewrap() -> HostCheck:
    """bwrap is installed, is not setuid, and is new enough."""
    name = "bubblewrap"
    found = find_bubblewrap()
    if isinstance(found, HostProblem):
        return _from_problem(name, found, "")
    output = run_program([found, "--version"], PROGRAM_SECONDS).stdout.strip()
    version = tuple(map(int, re.findall(r"\d+", output)))
    return HostCheck(name, version >= OLDEST_BUBBLEWRAP, f"{output} at {found}", INSTALL_BUBBLEWRAP)


def check_apparmor() -> HostCheck:
    """AppArmor leaves user namespaces to this process, or to bubblewrap."""
    name = "AppArmor"
    if not apparmor.restricts_user_namespaces():
        return HostCheck(name, True, "does not restrict user namespaces", "")
    profile = apparmor.profile_of_this_process()
    found = f"{apparmor.RESTRICTION} is 1; this process has {f'the profile {profile}' if profile else 'no profile'}"
    tried = _check_bubblewrap_options(name, ["--unshare-all"], ALLOW_NAMESPACES)
    return HostCheck(name, tried.ok, found, tried.mend)


def check_landlock() -> HostCheck:
    """The kernel has Landlock. From ABI 6 on it has all the rights that the sandbox uses."""
    version = landlock.abi()
    found = "none" if version < 1 else f"ABI {version}"
    if 0 < version < landlock.SCOPE_ABI:
        found += " (before ABI 6, seccomp and namespaces alone restrict signals and abstract sockets)"
    return HostCheck("Landlock", version >= 1, found, "Linux 5.13 or newer, with landlock in the kernel's lsm= list")


def check_interpreter(python: Path | None) -> HostCheck:
    """There is a Python that can load the installed packages."""
    found = find_interpreter(python)
    problem = found if isinstance(found, HostProblem) else None
    return _from_problem("interpreter", problem, str(getattr(found, "source", "")))


def check_browser(browser: Path | None, flavor: FlavorWish = "auto") -> HostCheck:
    """There is a browser binary of the wanted flavor, and each that is found starts."""
    found = find_browsers(browser, flavor)
    if isinstance(found, HostProblem):
        return _from_problem("browser", found, "")
    lines = []
    for name, binary in found.items():
        try:
            version = run_program([binary.source, "--version"], PROGRAM_SECONDS)
            version.check_returncode()
        except (OSError, subprocess.SubprocessError) as error:
            return HostCheck("browser", False, f"{binary.source} does not start: {error}", "install it again")
        lines.append(f"{name}: {version.stdout.strip()} at {binary.source}")
    return HostCheck("browser", True, "; ".join(lines), "")


def check_sandbox(python: Path | None, browser: Path | None, flavor: FlavorWish = "auto") -> HostCheck:
    """A whole sandbox can be started and ended."""
    try:
        survey(python, browser, flavor)
    except HostUnfit as unfit:
        problem = unfit.problems[-1]
        return HostCheck("a whole sandbox", False, problem.what, problem.mend)
    user = "a user of its own" if os.geteuid() == 0 else "this user"
    return HostCheck("a whole sandbox", True, f"started under {user}", "")


def check_cgroup() -> HostCheck:
    """The kernel can enforce the limits of a sandbox. Without that, other limits apply, so this is always ok."""
    root = cgroup.find_root()
    if root is None:
        found = "none can be created: rlimits and the memory watch limit each sandbox"
    elif not root.controllers:
        found = "one per sandbox, without the memory and pids controllers: rlimits and the memory watch apply"
    else:
        found = f"one per sandbox, with {', '.join(sorted(root.controllers))}"
    return HostCheck("cgroup", True, found, "for limits by the kernel: systemd's Delegate=yes in a unit of its own")


def check_fonts() -> HostCheck:
    """The fonts cover the scripts of most pages. Without a font a page shows boxes instead of text."""
    mend = f"install fonts (Debian: apt install {' '.join(fonts.PACKAGES)}); runners that start afterwards use them"
    try:
        found = fonts.installed_fonts()
    except OSError as error:
        return HostCheck("fonts", False, f"fontconfig cannot be asked: {error}", "apt install chromium")
    missing = fonts.missing_scripts(found)
    covered = f"{len(found)} fonts, " + (f"no font for {', '.join(missing)}" if missing else "for all usual scripts")
    return HostCheck("fonts", not missing, covered, mend)


def _check_bubblewrap_options(name: str, options: list[str], mend: str) -> HostCheck:
    """bwrap accepts these options when an ordinary user runs it."""
    found = find_bubblewrap()
    if isinstance(found, HostProblem):
        return _from_problem(name, found, "")
    user = OVERFLOW_UID if os.geteuid() == 0 else None
    ended = run_program(
        [found, "--ro-bind", "/", "/", *options, "--", found, "--version"],
        PROGRAM_SECONDS,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        env={},
    )
    works = ended.returncode == 0
    return HostCheck(
        name,
        works,
        "available to ordinary users" if works else ended.stderr.strip(),
        "" if works else apparmor.mend_user_namespaces(mend),
    )


def _from_problem(name: str, problem: HostProblem | None, found: str) -> HostCheck:
    if problem is None:
        return HostCheck(name, True, found, "")
    return HostCheck(name, False, f"{problem.what} ({problem.where})", problem.mend)
