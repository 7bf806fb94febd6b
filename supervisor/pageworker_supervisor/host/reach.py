"""Which paths another user can reach: asked of the kernel, in a child that becomes this user."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def out_of_reach(paths: Sequence[Path], uid: int, gid: int, groups: Sequence[int] = ()) -> tuple[Path, ...]:
    """Those that this user cannot read (folders: cannot enter). One that does not exist counts as reachable.

    Needs root, and a process without other threads. Raises OSError.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(write, paths, uid, gid, groups)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        reachable = answer.read()
    os.waitpid(child, 0)
    if len(reachable) != len(paths):
        raise OSError(f"user {uid} could not be tried: {reachable.decode(errors='replace') or 'no answer'}")
    return tuple(path for path, one in zip(paths, reachable, strict=True) if one == ord("0"))


def _answer(write: int, paths: Sequence[Path], uid: int, gid: int, groups: Sequence[int]) -> None:
    """Write a digit per path, and end."""
    code = 1
    try:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        os.write(write, b"".join(b"1" if _can_read(path) else b"0" for path in paths))
        code = 0
    finally:
        os._exit(code)


def _can_read(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return os.access(path, os.X_OK if stat.S_ISDIR(mode) else os.R_OK)
