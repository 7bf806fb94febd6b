"""Examines the host before anything is started. Reports every problem at once, and starts one sandbox as a test."""

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pageworker_sandbox.flavor import FlavorWish
from pageworker_sandbox.launch import apparmor, cgroup, elf, packages, procfs, seccomp
from pageworker_sandbox.launch.browser import find_browsers
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.interpreter import find_interpreter
from pageworker_sandbox.launch.libraries import library_mounts
from pageworker_sandbox.launch.right_probes import probe_rights
from pageworker_sandbox.launch.self_test import verify_host
from pageworker_sandbox.launch.user_namespace import UserNamespace
from pageworker_sandbox.sandbox_rights import ESSENTIAL, RightName, SandboxRight, right_of

T = TypeVar("T")
NAMESPACE_RIGHTS = frozenset({"userns", "chromium_sandbox"})
"""AppArmor can take these away."""
ROOT_NEEDS = {"DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_PTRACE": 19, "SYS_ADMIN": 21}
"""Capabilities by number. Root that has no user namespace for its sandboxes needs them to stage files of others, to
become a runner's user, and to examine and end the runner's processes."""
INSTALL_AGAIN = "install pageworker again"
INSTALL_BUBBLEWRAP = "install bubblewrap (Debian: apt install bubblewrap)"


@dataclass
class Findings:
    """Collects problems, so that all of them are reported together."""

    problems: list[HostProblem] = field(default_factory=list)

    def take(self, answer: T | HostProblem) -> T | None:
        """Return the answer; for a problem, record it and return None."""
        if isinstance(answer, HostProblem):
            self.problems.append(answer)
            return None
        return answer


def survey(
    python: Path | None,
    browser: Path | None,
    flavor: FlavorWish = "auto",
    required: Collection[RightName] = ESSENTIAL,
    user_namespace: UserNamespace | None = None,
) -> Host:
    """Examine the host. None: search for the interpreter or the browsers; one of these has `flavor`.

    `required`: rights that the host must give (`sandbox.require`). `user_namespace`: that of the worker, if it has one.
    Raises HostUnfit.
    """
    findings = Findings()
    take = findings.take
    found_bubblewrap = find_bubblewrap()
    bwrap = take(found_bubblewrap)
    # Before anything else is started: with cgroup version 2 the supervisor must be alone in its cgroup at first.
    probed = probe_rights(found_bubblewrap, user_namespace)
    for name, right in probed.items():
        if name in required and not right.there and not (name == "userns" and bwrap is None):
            take(missing_right(name, right.found))
    take(check_policies())
    if user_namespace is None:
        take(check_privilege())
    chosen_python = take(find_interpreter(python))
    chosen_browsers = take(find_browsers(browser, flavor))
    runner_code, runner_site = take(packages.code(packages.RUNNER_CODE)), take(packages.site(packages.RUNNER_SITE))
    gateway_code, gateway_site = take(packages.code(packages.GATEWAY_CODE)), take(packages.site(packages.GATEWAY_SITE))
    driver = take(packages.driver())
    take(packages.rival_distribution())
    if not (
        bwrap
        and chosen_python
        and chosen_browsers
        and driver
        and runner_code
        and runner_site
        and gateway_code
        and gateway_site
    ):
        raise HostUnfit(tuple(findings.problems))
    binaries = chosen_browsers.values()
    try:
        libraries = library_mounts([chosen_python.source, *(each.source for each in binaries), driver])
    except (OSError, elf.NotElf) as error:
        raise HostUnfit((HostProblem(f"a program lacks a library: {error}", "ld.so --list", INSTALL_AGAIN),)) from error
    host = Host(
        bubblewrap=bwrap,
        python=chosen_python.executable,
        browsers={flavor: each.executable for flavor, each in chosen_browsers.items()},
        system=(*libraries, *chosen_python.mounts),
        runner=(*dict.fromkeys(each.bind for each in binaries), *runner_code, *runner_site),
        gateway=(*gateway_code, *gateway_site),
        user_namespace=user_namespace,
        rights=frozenset(name for name, right in probed.items() if right.there) | {"chromium_sandbox"},
        required=frozenset(required),
        cgroups=None if (root := cgroup.find_root()) is None else root.folder,
    )
    if findings.problems:
        # A sandbox that lacks what is missing would fail for the same reason.
        raise HostUnfit(tuple(findings.problems))
    tested = take(verify_host(host))
    if tested is None:
        raise HostUnfit(tuple(findings.problems))
    return tested


def missing_right(name: RightName, found: str) -> HostProblem:
    """The problem of a host that does not give a required right."""
    right = right_of(name)
    return HostProblem(f"the right {name} is missing: {found}. {right.loss}", "sandbox.require", mend_of(right))


def mend_of(right: SandboxRight) -> str:
    """How this host can give a right."""
    return apparmor.mend_user_namespaces(right.mend) if right.name in NAMESPACE_RIGHTS else right.mend


def find_bubblewrap() -> Path | HostProblem:
    """Path of bwrap. A setuid bwrap is refused: it would run its set-up as root, and nothing here needs that."""
    found = shutil.which("bwrap")
    if found is None:
        return HostProblem("bubblewrap is not installed", "PATH", INSTALL_BUBBLEWRAP)
    path = Path(found).resolve()
    if path.stat().st_mode & 0o4000:
        return HostProblem("bubblewrap is setuid root", str(path), f"chmod u-s {path} and allow user namespaces")
    return path


def check_policies() -> HostProblem | None:
    """Every seccomp policy exists and compiles."""
    try:
        for name in ("runner", "confined", "gateway", "dialer"):
            seccomp.compiled(name)
    except (OSError, msgspec.DecodeError) as error:
        return HostProblem(f"a seccomp policy cannot be used: {error}", "seccomp/*.json", INSTALL_AGAIN)
    return None


def check_privilege() -> HostProblem | None:
    """Root has the capabilities to become another user. An ordinary user needs none."""
    effective = procfs.own_capabilities()
    lacking = [f"CAP_{name}" for name, number in ROOT_NEEDS.items() if not effective >> number & 1]
    if os.geteuid() == 0 and lacking:
        return HostProblem(
            f"root lacks {', '.join(lacking)}",
            "/proc/self/status",
            "run as root with these, or as an ordinary user: without any capability, or with CAP_SETGID and CAP_SETUID,"
            " by which a worker gives its runners user ids of their own",
        )
    return None
