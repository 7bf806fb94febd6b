"""Landlock without a library: a process permanently gives up file, network and signal rights.

Names are the kernel's without their prefix LANDLOCK_. Source: the kernel's Documentation/userspace-api/landlock.rst
and include/uapi/linux/landlock.h.
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Mapping
from enum import IntFlag

from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.syscalls import call, prctl

PR_SET_NO_NEW_PRIVS = 38
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
RULE_NET_PORT = 2
RESTRICT_SELF_TSYNC = 1 << 3
"""Restrict all threads of the process."""
NET_ABI = 4
SCOPE_ABI = 6
TSYNC_ABI = 8
"""The ABI that introduced each."""


class AccessFs(IntFlag):
    """LANDLOCK_ACCESS_FS_*: rights on files. The comment names the ABI that introduced each."""

    EXECUTE = 1 << 0  # 1
    WRITE_FILE = 1 << 1  # 1
    READ_FILE = 1 << 2  # 1
    READ_DIR = 1 << 3  # 1
    REMOVE_DIR = 1 << 4  # 1
    REMOVE_FILE = 1 << 5  # 1
    MAKE_CHAR = 1 << 6  # 1
    MAKE_DIR = 1 << 7  # 1
    MAKE_REG = 1 << 8  # 1
    MAKE_SOCK = 1 << 9  # 1
    MAKE_FIFO = 1 << 10  # 1
    MAKE_BLOCK = 1 << 11  # 1
    MAKE_SYM = 1 << 12  # 1
    REFER = 1 << 13  # 2
    TRUNCATE = 1 << 14  # 3
    IOCTL_DEV = 1 << 15  # 5


class AccessNet(IntFlag):
    """LANDLOCK_ACCESS_NET_*: rights on TCP ports. Since ABI 4."""

    BIND_TCP = 1 << 0
    CONNECT_TCP = 1 << 1


class Scope(IntFlag):
    """LANDLOCK_SCOPE_*: what a process can reach outside of its Landlock domain. Since ABI 6."""

    ABSTRACT_UNIX_SOCKET = 1 << 0
    SIGNAL = 1 << 1


NEEDED_FS = AccessFs((1 << 13) - 1)
"""The file rights that a sandbox cannot do without: those of the first version of Landlock."""
ALL_NET = AccessNet.BIND_TCP | AccessNet.CONNECT_TCP
ALL_SCOPES = Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL
ON_FILES = AccessFs.EXECUTE | AccessFs.WRITE_FILE | AccessFs.READ_FILE | AccessFs.TRUNCATE | AccessFs.IOCTL_DEV
"""The rights that a rule may grant on a file that is not a directory. The kernel answers EINVAL to any other."""


class RulesetAttr(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class PathBeneathAttr(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class NetPortAttr(ctypes.Structure):
    """struct landlock_net_port_attr."""

    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock ABI version. 0 if the kernel has no Landlock."""
    try:
        return call("landlock_create_ruleset", None, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def all_fs(version: int) -> AccessFs:
    """Every file right that this ABI version handles."""
    bits = 13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16
    return AccessFs((1 << bits) - 1)


def ruleset_size(version: int) -> int:
    """Bytes of RulesetAttr that a kernel with this ABI version accepts."""
    return 24 if version >= SCOPE_ABI else 16 if version >= NET_ABI else 8


def try_ruleset(fs: AccessFs | int = 0, net: AccessNet | int = 0, scopes: Scope | int = 0) -> None:
    """Create a ruleset that handles these rights, and close it: nothing is restricted. Raises OSError.

    ENOSYS: the kernel was built without Landlock. EOPNOTSUPP: it is not in the lsm= list. EINVAL, E2BIG: the kernel is
    too old for one of the rights. EPERM: a container's seccomp profile refuses the call.
    """
    attributes = RulesetAttr(fs, net, scopes)
    # The whole structure: a kernel that knows less of it accepts zeros beyond that, and nothing else (E2BIG).
    os.close(call("landlock_create_ruleset", attributes, ctypes.sizeof(attributes), 0))


def restrict(
    handled: AccessFs,
    allowed: Mapping[str, AccessFs],
    *,
    net: bool = False,
    connect_ports: Iterable[int] | None = None,
    scopes: bool = False,
    threads: int = 1,
) -> tuple[str, ...]:
    """Take away the rights `handled`, except beneath the paths of `allowed`. Paths that do not exist are skipped.

    `net`: take away TCP altogether. `connect_ports`: of TCP, permit only connections to these ports, of any host.
    `threads` is the number of threads of the process. Before ABI 8 the restriction applies to the calling thread
    alone, so more than one thread is refused there. Returns what is in force: `fs`, `net`, `scope`. Raises
    ConfinementFailed.
    """
    version = abi()
    if version < 1:
        raise ConfinementFailed("this kernel has no Landlock: use Linux 5.13 or newer, with landlock in its lsm= list")
    if threads > 1 and version < TSYNC_ABI:
        raise ConfinementFailed(
            f"Landlock ABI {version} restricts one thread, and this process has {threads}: start no thread before"
            " (asyncio's child watcher of Python 3.11 starts one: use PidfdChildWatcher)"
        )
    handled &= all_fs(version)
    handled_net = ALL_NET if (net or connect_ports is not None) and version >= NET_ABI else 0
    handled_scopes = ALL_SCOPES if scopes and version >= SCOPE_ABI else 0
    attributes = RulesetAttr(handled, handled_net, handled_scopes)
    try:
        ruleset = call("landlock_create_ruleset", attributes, ruleset_size(version), 0)
        try:
            for path, rights in allowed.items():
                _allow(ruleset, path, rights & handled)
            for port in connect_ports or ():
                call("landlock_add_rule", ruleset, RULE_NET_PORT, NetPortAttr(AccessNet.CONNECT_TCP, port), 0)
            prctl(PR_SET_NO_NEW_PRIVS, 1)
            call("landlock_restrict_self", ruleset, RESTRICT_SELF_TSYNC if threads > 1 else 0)
        finally:
            os.close(ruleset)
    except OSError as error:
        raise ConfinementFailed(f"Landlock was not applied: {error}") from error
    in_force = {"fs": handled, "net": handled_net, "scope": handled_scopes}
    return tuple(name for name, rights in in_force.items() if rights)


def _allow(ruleset: int, path: str, rights: AccessFs) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            rights &= ON_FILES
        if rights:
            call("landlock_add_rule", ruleset, RULE_PATH_BENEATH, PathBeneathAttr(rights, parent), 0)
    finally:
        os.close(parent)
