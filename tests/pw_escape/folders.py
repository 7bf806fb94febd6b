"""Attacks by a folder that a hostile runner has left, on the supervisor that re-owns or removes it."""

import errno
import os
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pw_sandbox.uids import FIRST_UID

from pageworker_profiles import trees
from pageworker_profiles.errors import ProfileError
from pw_escape import mechanisms as m


class Missed(Exception):
    """The attack was not refused, but gained nothing."""


def attack(folder: Path, code: str, without: frozenset[str]) -> dict[str, str]:
    """Run an attack. Returns its outcome."""
    data, outside = folder / "data", folder / "outside"
    for made in (data, outside):
        made.mkdir(parents=True)
    (outside / "secret").write_text("secret")
    names: dict[str, Any] = {
        "os": os,
        "stat": stat,
        "socket": socket,
        "Path": Path,
        "Missed": Missed,
        "data": data,
        "outside": outside,
        "secret": outside / "secret",
        "reown": lambda: trees.reown(data, FIRST_UID + 2, FIRST_UID + 2),
        "remove": lambda: trees.remove(data),
    }
    with ExitStack() as stack:
        if m.PROFILE_WALK in without:
            stack.enter_context(patch.object(trees, "reown", _reown))
            stack.enter_context(patch.object(trees, "remove", _remove))
        try:
            exec(code, names)
        except (ProfileError, Missed) as error:
            return {"kind": type(error).__name__, "text": str(error)}
        except OSError as error:
            return {"kind": errno.errorcode.get(error.errno or 0, "OSError"), "text": str(error)}
    return {"kind": "", "text": ""}


def _reown(folder: Path, uid: int, gid: int) -> None:
    """The naive implementation, as a control."""
    for path in folder.iterdir():
        os.chown(path, uid, gid)
        if path.is_dir():
            _reown(path, uid, gid)


def _remove(folder: Path) -> None:
    """The naive implementation, as a control."""
    for path in folder.iterdir():
        if path.is_dir():
            _remove(path)
        else:
            path.unlink()
