"""The launcher program: becomes bubblewrap after the steps that only a process of its own can take.

Started as a file, `python -I -S enter.py PLAN_FD`, by the interpreter of the supervisor; imports nothing of ours.
A step that fails ends it with status 125 and one line on stderr.

The steps, in order: ignore the signals of a service's stop · own cgroup · resource limits · private mount namespace
(as an ordinary user within a user namespace of its own) · stage what the cell gets · own user · no new privileges ·
die with the supervisor · exec.
Staging is done here because a runner's user can not enter, say, /root or a profile of mode 0700, and because
bubblewrap can not mount without the right to execute. Sources: mount(2), mount_setattr(2), user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import stat
import sys

TYPE_CHECKING = False  # `typing` and `json` would double the milliseconds that this program takes
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 1 << 18
MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 0x2, 0x4, 0x8
MOUNT_SETATTR = 442  # the same on every architecture; since Linux 5.12
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SIGHUP, SIGINT, SIGKILL, SIGTERM = 1, 2, 9, 15
SIG_IGN = 1
FAILED = 125

libc = ctypes.CDLL(None, use_errno=True)


def main() -> NoReturn:
    """Take the steps. Never returns."""
    plan_fd = int(sys.argv[1])
    with open(plan_fd, "rb") as file:
        plan = marshal.load(file)  # noqa: S302 - our supervisor wrote it, with the same interpreter; json costs milliseconds
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("ignore signals", ignore_signals),
        ("join the cgroup", lambda: join_cgroups(plan["cgroups"])),
        ("limit resources", lambda: limit(plan["limits"])),
        ("make a mount namespace", lambda: own_mounts(plan["uid"])),
        ("stage the root", lambda: stage(plan["stage"], plan["items"])),
        ("become the cell's user", lambda: become(plan["uid"])),
        ("give up privileges", lambda: prctl(PR_SET_NO_NEW_PRIVS, 1)),
        ("die with the supervisor", lambda: die_with(plan["parent"])),
        ("start bubblewrap", lambda: os.execve(plan["argv"][0], plan["argv"], {})),  # noqa: S606 - no shell is the point
    )
    for name, take in steps:
        try:
            take()
        except (OSError, ValueError) as error:
            os.write(2, f"launcher: could not {name}: {error}\n".encode())
            break
    os._exit(FAILED)


def ignore_signals() -> None:
    """systemd's `KillMode=control-group` sends SIGTERM to every process of a service, a terminal SIGINT and SIGHUP.
    They are meant for the supervisor, which ends us in order (SIGKILL). What is ignored stays so over execve(2)."""
    for number in (SIGHUP, SIGINT, SIGTERM):
        libc.signal(number, ctypes.c_void_p(SIG_IGN))


def join_cgroups(folders: list[str]) -> None:
    """Move ourselves; everything that is started later is born there."""
    for folder in folders:
        write(f"{folder}/cgroup.procs", str(os.getpid()))


def limit(limits: list[tuple[int, int]]) -> None:
    """Hard and soft alike, never above what we have."""
    for kind, value in limits:
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))


def own_mounts(uid: int | None) -> None:
    """A mount namespace that nobody else sees, which an ordinary user gets within a user namespace."""
    if uid is None:
        user, group = os.getuid(), os.getgid()
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            write(f"/proc/self/{name}", text)
    else:
        unshare(CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def stage(folder: str, items: list[dict[str, Any]]) -> None:
    """Gather everything in a tmpfs over `folder`: binds, made-up files, scratch space."""
    sources = {
        number: os.open(item["source"], os.O_PATH | os.O_CLOEXEC)
        for number, item in enumerate(items)
        if item["kind"] == "bind"
    }
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m")
    for number, item in enumerate(items):
        place = f"{folder}/{number}"
        if item["kind"] == "data":
            write(place, item["text"])
        elif item["kind"] == "scratch":
            os.mkdir(place)  # noqa: PTH102 - pathlib takes 8 ms to import, all of a start 11
            options = f"mode=1777,size={item['size']},nr_inodes={item['inodes']}"
            mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)
        else:
            bind(sources[number], place, item["deny"])


def bind(source: int, place: str, deny: int) -> None:
    """Bind an open file or folder, with these MOUNT_ATTR flags on top of what it has."""
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.mkdir(place)  # noqa: PTH102 - pathlib takes 8 ms to import, all of a start 11
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    mount(f"/proc/self/fd/{source}", place, None, MS_BIND | MS_REC)
    attributes = (ctypes.c_uint64 * 4)(deny, 0, 0, 0)
    check(libc.syscall(MOUNT_SETATTR, AT_FDCWD, place.encode(), AT_RECURSIVE, attributes, 32), place)
    os.close(source)


def write(path: str, text: str) -> None:
    """Into a file of the kernel's, or a new one."""
    descriptor: int = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with open(descriptor, "w") as file:
        file.write(text)


def become(uid: int | None) -> None:
    """One user, its group of the same number, nothing else."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def die_with(parent: int) -> None:
    """Be killed when the supervisor's main thread ends. Any change of credentials would undo it: hence so late."""
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        raise OSError("the supervisor is gone already")


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    check(libc.unshare(flags), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError."""
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    check(libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None), target)


def prctl(option: int, value: int) -> None:
    """prctl(2). Raises OSError."""
    check(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def check(result: int, what: str) -> None:
    """Raise OSError for a failed call."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


if __name__ == "__main__":
    main()
