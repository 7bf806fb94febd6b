"""Landlock without a library: a process gives up file, network and signal rights for ever.

Source: the kernel's Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
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
"""Restrict all threads of the process, since ABI 8."""
TSYNC_ABI = 8
NET_ABI = 4


class Fs(IntFlag):
    """Rights on files. The number behind each is the ABI that brought it."""

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


ALL_NET = 0b11  # bind and connect by TCP, ABI 4
CONNECT_TCP = 0b10
ALL_SCOPES = 0b11  # abstract Unix sockets and signals, ABI 6
ON_FILES = Fs.EXECUTE | Fs.WRITE_FILE | Fs.READ_FILE | Fs.TRUNCATE | Fs.IOCTL_DEV
"""Rights that mean something on a file that is not a directory; any other is EINVAL there."""


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _NetPortAttr(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    try:
        return call("landlock_create_ruleset", None, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def all_fs(version: int) -> Fs:
    """Every file right that this ABI can take away."""
    bits = 13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16
    return Fs((1 << bits) - 1)


def restrict(
    handled: Fs,
    allowed: Mapping[str, Fs],
    *,
    net: bool = False,
    connect_ports: Iterable[int] | None = None,
    scopes: bool = False,
    threads: int = 1,
) -> None:
    """Take away `handled` everywhere but beneath the paths of `allowed`. Paths that do not exist are left out.

    `net`: no TCP at all. `connect_ports`: of TCP only connections to these ports of whatever host.
    `threads` is how many threads the process has: the restriction is the calling thread's own before ABI 8,
    so with more than one it is refused there. Raises ConfinementFailed.
    """
    version = abi()
    if version < 1:
        raise ConfinementFailed("this kernel has no Landlock")
    if threads > 1 and version < TSYNC_ABI:
        raise ConfinementFailed(
            f"Landlock ABI {version} restricts one thread, and this process has {threads}: start none before"
            " (asyncio's child watcher of Python 3.11 is one: use PidfdChildWatcher)"
        )
    handled &= all_fs(version)
    size = 24 if version >= 6 else 16 if version >= NET_ABI else 8
    attributes = _RulesetAttr(
        handled,
        ALL_NET if (net or connect_ports is not None) and version >= NET_ABI else 0,
        ALL_SCOPES if scopes else 0,
    )
    try:
        ruleset = call("landlock_create_ruleset", attributes, size, 0)
        try:
            for path, rights in allowed.items():
                _allow(ruleset, path, rights & handled)
            for port in connect_ports or ():
                call("landlock_add_rule", ruleset, RULE_NET_PORT, _NetPortAttr(CONNECT_TCP, port), 0)
            prctl(PR_SET_NO_NEW_PRIVS, 1)
            call("landlock_restrict_self", ruleset, RESTRICT_SELF_TSYNC if threads > 1 else 0)
        finally:
            os.close(ruleset)
    except OSError as error:
        raise ConfinementFailed(f"Landlock: {error}") from error


def _allow(ruleset: int, path: str, rights: Fs) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            rights &= ON_FILES
        if rights:
            call("landlock_add_rule", ruleset, RULE_PATH_BENEATH, _PathBeneathAttr(rights, parent), 0)
    finally:
        os.close(parent)
