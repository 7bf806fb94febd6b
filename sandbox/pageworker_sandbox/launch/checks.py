"""The sandbox part of `workerctl doctor`: each requirement of the host is tried for real."""

import os
import re
import subprocess
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.flavor import FlavorWish
from pageworker_sandbox.launch import apparmor, fonts
from pageworker_sandbox.launch.browser import find_browsers
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit
from pageworker_sandbox.launch.interpreter import find_interpreter
from pageworker_sandbox.launch.preflight import (
    INSTALL_BUBBLEWRAP,
    check_policies,
    find_bubblewrap,
    mend_of,
    survey,
)
from pageworker_sandbox.launch.right_probes import ProbedRight, probe_rights, run_bubblewrap
from pageworker_sandbox.launch.run_program import run_program
from pageworker_sandbox.launch.self_test import ALLOW_PROC
from pageworker_sandbox.sandbox_rights import ALLOW_NAMESPACES, ESSENTIAL, RIGHTS, RightName, SandboxRight

OLDEST_BUBBLEWRAP = (0, 4, 0)
PROGRAM_SECONDS = 20.0


@dataclass(frozen=True)
class HostCheck:
    """One requirement of the host, or one feature that it should have. A missing feature is `ok`: see `found`."""

    name: str
    ok: bool
    found: str
    mend: str


def checks(
    python: Path | None = None,
    browser: Path | None = None,
    flavor: FlavorWish = "auto",
    required: Collection[RightName] = ESSENTIAL,
) -> list[HostCheck]:
    """Run all checks, from single features to a whole sandbox. `required`: rights that a worker needs to start."""
    all_checks: tuple[Callable[[], HostCheck], ...] = (
        check_bubblewrap,
        check_apparmor,
        check_proc,
        lambda: _from_problem("seccomp policies", check_policies(), "runner, confined, gateway and dialer compile"),
        lambda: check_interpreter(python),
        lambda: check_browser(browser, flavor),
    )
    # First: with cgroup version 2 this process must be alone in its cgroup.
    probed = dict(probe_rights(find_bubblewrap()))
    found = [check() for check in all_checks]
    sandbox, probed["chromium_sandbox"] = check_sandbox(python, browser, flavor)
    return [*found, sandbox, *(right_check(right, probed[right.name], required) for right in RIGHTS), check_fonts()]


def right_check(right: SandboxRight, probed: ProbedRight, required: Collection[RightName]) -> HostCheck:
    """There or missing, what is lost, how to get it, and whether `sandbox.require` names it."""
    needed = "required" if right.name in required else "not required"
    if probed.there:
        return HostCheck(right.name, True, f"there, {needed}: {probed.found}", "")
    return HostCheck(
        right.name, right.name not in required, f"missing, {needed}: {probed.found}. {right.loss}", mend_of(right)
    )


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
    bubblewrap = find_bubblewrap()
    if isinstance(bubblewrap, HostProblem):
        return _from_problem(name, bubblewrap, "")
    there = run_bubblewrap(bubblewrap, "--unshare-all").there
    return HostCheck(name, there, found, "" if there else apparmor.mend_user_namespaces(ALLOW_NAMESPACES))


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


def check_proc() -> HostCheck:
    """A sandbox can have a /proc of its own."""
    name = "fresh /proc"
    found = find_bubblewrap()
    if isinstance(found, HostProblem):
        return _from_problem(name, found, "")
    probed = run_bubblewrap(found, "--unshare-all", "--proc", "/proc")
    return HostCheck(
        name, probed.there, probed.found, "" if probed.there else apparmor.mend_user_namespaces(ALLOW_PROC)
    )


def check_sandbox(
    python: Path | None, browser: Path | None, flavor: FlavorWish = "auto"
) -> tuple[HostCheck, ProbedRight]:
    """Whether a whole sandbox can be started and ended, and whether Chromium's own works in it."""
    name = "a whole sandbox"
    try:
        survey(python, browser, flavor)
    except HostUnfit as unfit:
        problem = unfit.problems[-1]
        missing = ProbedRight(False, f"not known, because no whole sandbox starts: {problem.what}")
        return HostCheck(name, False, problem.what, problem.mend), missing
    user = "a user of its own" if os.geteuid() == 0 else "this user"
    there = ProbedRight(True, "a process makes its own namespace and root in a runner's sandbox")
    return HostCheck(name, True, f"started under {user}", ""), there


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


def _from_problem(name: str, problem: HostProblem | None, found: str) -> HostCheck:
    if problem is None:
        return HostCheck(name, True, found, "")
    return HostCheck(name, False, f"{problem.what} ({problem.where})", problem.mend)
