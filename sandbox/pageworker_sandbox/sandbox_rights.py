"""The rights that a host gives to sandboxes: what each is, what is lost without it, and how to get it. Pure.

The check of `sandbox.require`, the daemon's refusal, `workerctl doctor` and the table in docs/operations.md read
`RIGHTS`. The probes are in launch/right_probes.py.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

RightName = Literal[
    "landlock.fs",
    "landlock.net",
    "landlock.scope",
    "seccomp",
    "userns",
    "own_uid",
    "cgroup",
    "chromium_sandbox",
]
ALLOW_NAMESPACES = (
    "allow user namespaces: sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone=1 (Debian);"
    " in a container a seccomp profile that permits unshare, clone and mount"
)
ALLOW_CHROOT = "in a container permit chroot to the browser's sandbox: --security-opt seccomp=seccomp/container.json"
CONTAINER = "in a container a seccomp profile that permits it: seccomp/container.json"


@dataclass(frozen=True)
class SandboxRight:
    """One right. `essential`: without it no runner starts, so `sandbox.require` must name it."""

    name: RightName
    what: str
    loss: str
    mend: str
    probe: str
    """How the daemon and `workerctl doctor` find out whether the host has it."""
    essential: bool = False


RIGHTS: tuple[SandboxRight, ...] = (
    SandboxRight(
        "landlock.fs",
        what="Landlock rules for files and programs",
        loss="Module code could read the browser's profile and start programs. No runner starts.",
        mend=f"Linux 5.13 or newer, with landlock in the kernel's lsm= list; {CONTAINER}",
        probe="creates a Landlock ruleset with the file rights that the sandbox cannot do without",
        essential=True,
    ),
    SandboxRight(
        "landlock.net",
        what="Landlock rules for TCP ports",
        loss="A dialer that was taken over could connect to any TCP port, also to those of Redis and of this worker. "
        "Of two protections that keep module code from TCP, one is left: seccomp.",
        mend=f"Linux 6.7 or newer, with landlock in the kernel's lsm= list; {CONTAINER}",
        probe="creates a Landlock ruleset with both TCP rights",
    ),
    SandboxRight(
        "landlock.scope",
        what="Landlock scopes for signals and abstract Unix sockets",
        loss="Seccomp and namespaces alone keep module code from signals to its browser and from abstract sockets.",
        mend=f"Linux 6.12 or newer, with landlock in the kernel's lsm= list; {CONTAINER}",
        probe="creates a Landlock ruleset with both scopes",
    ),
    SandboxRight(
        "seccomp",
        what="Filters of system calls for runner, module code, gateway and dialer",
        loss="Pages and modules could use every system call of the kernel. No runner starts.",
        mend="a kernel with CONFIG_SECCOMP_FILTER; in a container a runtime that permits seccomp(2)",
        probe="asks seccomp(2) for a filter without a program, which a kernel with filters refuses with EFAULT",
        essential=True,
    ),
    SandboxRight(
        "userns",
        what="User namespaces for ordinary users, as bubblewrap needs them",
        loss="bubblewrap cannot build a sandbox. No runner starts.",
        mend=ALLOW_NAMESPACES,
        probe="starts bubblewrap with all namespaces, as an ordinary user",
        essential=True,
    ),
    SandboxRight(
        "own_uid",
        what="User ids of their own for each runner, the gateway, the dialer and the embedded Redis",
        loss="All processes of the worker have one user id. Only namespaces, Landlock and seccomp separate a runner "
        "that was taken over from the files of the worker and from other runners.",
        mend="run the worker as root, or as a user with the capabilities to give user ids (docs/trust.md)",
        probe="starts a program under another user id",
    ),
    SandboxRight(
        "cgroup",
        what="A cgroup per runner, in which the kernel limits memory and processes",
        loss="rlimits and the supervisor limit a runner. The supervisor measures memory every ten seconds, so that a "
        "runner may use up the memory of the host before it is killed.",
        mend="delegate the controllers memory and pids: Delegate=memory pids cpu in the worker's own systemd unit; "
        "a container of its own with a writable cgroup",
        probe="creates a cgroup with limits of memory and processes, and removes it",
    ),
    SandboxRight(
        "chromium_sandbox",
        what="Chromium's own sandbox inside of ours, around each page",
        loss="A page with an exploit for its renderer would have the whole browser. No runner starts: Chromium never "
        "runs without its sandbox.",
        mend=f"{ALLOW_CHROOT}; on Ubuntu an AppArmor profile for the browser that permits user namespaces",
        probe="makes a user namespace and changes the root, as Chromium does, in a sandbox of a runner",
        essential=True,
    ),
)
NAMES: tuple[RightName, ...] = get_args(RightName)
ESSENTIAL: tuple[RightName, ...] = tuple(right.name for right in RIGHTS if right.essential)
"""What every supported host has, and what `sandbox.require` is by default."""


def right_of(name: RightName) -> SandboxRight:
    """The row of a right."""
    return RIGHTS[NAMES.index(name)]


def left_out(required: Collection[str]) -> tuple[RightName, ...]:
    """The essential rights that `sandbox.require` lacks, in the order of the table."""
    return tuple(name for name in ESSENTIAL if name not in required)


def rights_table() -> str:
    """The table for docs/operations.md, in Markdown: `python -m pageworker_sandbox.sandbox_rights`."""
    rows = ["| right | what it is | lost without it | how to get it | how it is probed | required |"]
    rows.append("|---|---|---|---|---|---|")
    for right in RIGHTS:
        required = "always" if right.essential else "if `sandbox.require` names it"
        rows.append(f"| `{right.name}` | {right.what} | {right.loss} | {right.mend} | {right.probe} | {required} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rights_table())
