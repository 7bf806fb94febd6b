"""The worker's user namespace: the user ids of its sandboxes, and the worker's own. Source: user_namespaces(7).

It is made once, by a worker that has CAP_SETUID and CAP_SETGID in that moment. Afterwards the worker needs no
capability: the kernel gives the user that created a namespace every capability in it (and in those below it), so the
worker's children may enter it, mount, change owners, and become another of its users. All that holds for the ids of the
map alone. A file of an id that is not in the map stays closed as before.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from pageworker_sandbox.launch import namespace_holder
from pageworker_sandbox.launch.errors import NamespaceRefused
from pageworker_sandbox.launch.fd_stack import FdStack

ALLOW = (
    "allow user namespaces: `workerctl doctor` names the setting of this kernel that forbids them. In a container, its "
    "seccomp profile must permit unshare(2)"
)
CHOOSE_IDS = (
    "set sandbox.first_uid to ids that this user may use: as root, those in /proc/self/uid_map; a container has few of "
    "them"
)
MAX_ROWS = 340
"""Of a map (user_namespaces(7))."""


@dataclass(frozen=True)
class UserNamespace:
    """The namespace, held open. `with` closes it at the end of the block."""

    descriptor: int
    """Of `/proc/PID/ns/user`. The namespace lives as long as it is open."""
    test_uid: int
    """A user id of the map, for the self-test of the host."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self.descriptor)


def map_text(own: int, ranges: Iterable[tuple[int, int]]) -> str:
    """The text of a map in which each id stands for itself: `own`, and ranges of (first, count).

    Parts that are in the map already are left out. Raises ValueError for more rows than a map may have.
    """
    rows: list[tuple[int, int]] = [(own, 1)]
    for first, count in ranges:
        free = [(first, first + count)]
        for known, size in rows:
            free = [part for begin, end in free for part in _without(begin, end, known, known + size)]
        rows += [(begin, end - begin) for begin, end in free]
    if len(rows) > MAX_ROWS:
        raise ValueError(f"a map of user ids has {MAX_ROWS} rows at most, not {len(rows)}")
    return "".join(f"{first} {first} {count}\n" for first, count in rows)


def _without(begin: int, end: int, known: int, known_end: int) -> list[tuple[int, int]]:
    parts = [(begin, min(end, known)), (max(begin, known_end), end)]
    return [(first, last) for first, last in parts if first < last]


def make(ranges: Sequence[tuple[int, int]]) -> UserNamespace:
    """A namespace with the effective user and group of this process, and these ranges of (first, count).

    The ids of the ranges are user ids, and group ids of the same numbers. `test_uid` is the first of them. Raises
    NamespaceRefused where the kernel refuses.
    """
    python = str(getattr(sys, "_base_executable", None) or sys.executable)
    with ExitStack() as stack:
        fds = FdStack(stack)
        hold_read, hold_write = fds.pipe()
        said_read, said_write = fds.pipe()
        holder = stack.enter_context(
            subprocess.Popen(
                [python, "-I", "-S", namespace_holder.__file__],
                stdin=hold_read,
                stdout=said_write,
                stderr=said_write,
                cwd="/",
                env={},
            )
        )
        # Close our copies now: a pipe reaches its end of file only when all copies of its write end are closed.
        fds.close(hold_read)
        fds.close(said_write)
        try:
            descriptor = _mapped(holder.pid, said_read, ranges)
        finally:
            fds.close(hold_write)
    return UserNamespace(descriptor, ranges[0][0])


def _mapped(holder: int, said: int, ranges: Sequence[tuple[int, int]]) -> int:
    """Write the maps of the holder's namespace. Returns a descriptor of the namespace."""
    if (text := os.read(said, 1000)) != namespace_holder.READY:
        raise NamespaceRefused(f"no user namespace can be created: {text.decode(errors='replace').strip()}", ALLOW)
    for kind, own in (("gid", os.getegid()), ("uid", os.geteuid())):
        try:
            _write(f"/proc/{holder}/{kind}_map", map_text(own, ranges))
        except OSError as error:
            raise NamespaceRefused(f"the kernel refuses its map of {kind}s: {error.strerror}", CHOOSE_IDS) from error
    return os.open(f"/proc/{holder}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())  # in one piece: the kernel accepts one write only
    finally:
        os.close(descriptor)
