"""The capabilities of this process: reads them, and gives them up. Source: capabilities(7), capset(2), prctl(2)."""

import ctypes
import errno
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from pageworker_supervisor.host.rights import NAMES, Rights, rights_of

CAPABILITY_VERSION_3 = 0x20080522
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_SECUREBITS = 8, 24, 28
SECBIT_NOROOT, SECBIT_NOROOT_LOCKED = 1, 2
"""Programs that user 0 starts get no capability from that."""
STATUS = Path("/proc/self/status")

_libc = ctypes.CDLL(None, use_errno=True)


def own_rights() -> Rights:
    """The rights of this process now."""
    return rights_of(STATUS.read_text())


def give_up_capabilities() -> None:
    """Give up every capability for good: effective, permitted, inheritable and ambient.

    Nothing that this process starts has one, either. Raises RuntimeError if there are other threads, which would keep
    theirs; OSError.
    """
    if not own_rights().capabilities:
        return  # an ordinary user's process: it may have threads by now
    _require_one_thread()
    _set_capabilities(0)
    if left := own_rights().capabilities:
        raise OSError(f"the kernel keeps {', '.join(left)} for this process")


def become(uid: int, gid: int, groups: Sequence[int], keep: Collection[int]) -> None:
    """As root: become this user with these groups, and keep these capabilities. No program gives others back.

    Raises RuntimeError if there are other threads; OSError.
    """
    _require_one_thread()
    if "CAP_SETPCAP" in own_rights().capabilities:  # otherwise no_new_privs alone keeps programs from having more
        for number in range(len(NAMES)):
            if number not in keep:
                _bound(number)
        _prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _set_capabilities(sum(1 << number for number in keep))


def _bound(number: int) -> None:
    try:
        _prctl(PR_CAPBSET_DROP, number)
    except OSError as error:
        if error.errno != errno.EINVAL:  # beyond the last capability of this kernel
            raise


def _set_capabilities(mask: int) -> None:
    """Exactly these are effective and permitted, and none is inheritable."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    if _libc.capset(header, data) != 0:
        _fail("capset")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        _fail(f"prctl {option}")


def _require_one_thread() -> None:
    threads = next(line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("Threads:"))
    if threads != "1":
        raise RuntimeError(f"capabilities are those of a thread, and this process has {threads} threads")


def _fail(what: str) -> None:
    code = ctypes.get_errno()
    raise OSError(code, f"{what}: {os.strerror(code)}")
