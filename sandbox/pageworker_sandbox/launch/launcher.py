"""The launcher program: takes the steps that need a process of their own, then becomes bubblewrap.

The supervisor starts it as a file, `python -I -S launcher.py PLAN_FD`. It imports no package of this project. A step
that fails ends it with exit status 125 and one line on stderr.

The steps, in order: ignore the signals of a service's stop · join the cgroup · set resource limits · make a private
mount namespace (in the worker's user namespace; an ordinary user needs a new one) · stage the mounts · become the
sandbox's user · set no_new_privs · die with the supervisor · execute bubblewrap.
The mounts are staged here for two reasons: a runner's user cannot enter /root or a profile of mode 0700, and
bubblewrap cannot mount with `noexec`. Sources: mount(2), mount_setattr(2), user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import stat
import sys

TYPE_CHECKING = False  # importing `typing` or `json` would double the run time of this program
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
    """Take the steps. Never returns: it becomes bubblewrap, or exits."""
    plan_fd = int(sys.argv[1])
    with open(plan_fd, "rb") as file:
        plan = marshal.load(file)  # noqa: S302 - the supervisor wrote it, with the same interpreter; importing json costs milliseconds
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("ignore signals", ignore_signals),
        ("join the cgroup", lambda: join_cgroups(plan["cgroups"])),
        ("limit resources", lambda: limit(plan["limits"])),
        ("make a mount namespace", lambda: own_mounts(plan["uid"], plan["user_namespace"])),
        ("stage the root", lambda: stage(plan["stage"], plan["items"])),
        ("become the sandbox's user", lambda: become(plan["uid"])),
        ("give up privileges", lambda: prctl(PR_SET_NO_NEW_PRIVS, 1)),
        ("die with the supervisor", lambda: die_with(plan["parent"])),
        ("start bubblewrap", lambda: os.execve(plan["argv"][0], plan["argv"], {})),  # noqa: S606 - a shell is not wanted here
    )
    for name, take in steps:
        try:
            take()
        except (OSError, ValueError) as error:
            os.write(2, f"launcher: could not {name}: {error}\n".encode())
            break
    os._exit(FAILED)


def ignore_signals() -> None:
    """Ignore the signals that are meant for the supervisor, which ends its sandboxes in order (by SIGKILL).

    systemd's `KillMode=control-group` sends SIGTERM to every process of a service, a terminal SIGINT and SIGHUP.
    An ignored signal stays ignored across execve(2).
    """
    for number in (SIGHUP, SIGINT, SIGTERM):
        libc.signal(number, ctypes.c_void_p(SIG_IGN))


def join_cgroups(folders: list[str]) -> None:
    """Move this process into the cgroups. Every process that it starts later is in them too."""
    for folder in folders:
        write(f"{folder}/cgroup.procs", str(os.getpid()))


def limit(limits: list[tuple[int, int]]) -> None:
    """Set soft and hard limits to the same value, never above the present hard limit."""
    for kind, value in limits:
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, ceiling))


def own_mounts(uid: int | None, user_namespace: int | None) -> None:
    """Make a private mount namespace. `uid` is None for an ordinary user, who needs a user namespace for that.

    Every capability in the worker's user namespace lasts until this process becomes another program.
    """
    if user_namespace is not None:
        check(libc.setns(user_namespace, CLONE_NEWUSER), "setns")
        os.close(user_namespace)
        unshare(CLONE_NEWNS)
    elif uid is None:
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
    """Mount a tmpfs over `folder` and put everything into it: binds, generated files, scratch space."""
    sources = {
        number: open_source(item["source"], item["checked"])
        for number, item in enumerate(items)
        if item["kind"] == "bind"
    }
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m")
    for number, item in enumerate(items):
        place = f"{folder}/{number}"
        if item["kind"] == "data":
            write(place, item["text"])
        elif item["kind"] == "scratch":
            os.mkdir(place)  # noqa: PTH102 - importing pathlib takes 8 ms, a whole start 11 ms
            options = f"mode=1777,size={item['size']},nr_inodes={item['inodes']}"
            mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)
        else:
            bind(sources[number], place, item["deny"])


def open_source(path: str, checked: int | None) -> int:
    """Open what is to be bound. With a descriptor of what was checked at the path, it must be that; a link is refused.

    The descriptor itself cannot be bound: it was opened in another mount namespace (mount(2), EINVAL). It keeps the
    inode number from being given to another file. bubblewrap's own `--bind-fd` compares in the same way.
    """
    if checked is None:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    opened = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not os.path.samestat(os.fstat(opened), os.fstat(checked)):
        os.close(opened)
        raise OSError(f"{path} was exchanged after it was checked: no other user may write to the folder above it")
    os.close(checked)
    return opened


def bind(source: int, place: str, deny: int) -> None:
    """Bind an open file or folder, and add these MOUNT_ATTR flags."""
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.mkdir(place)  # noqa: PTH102 - importing pathlib takes 8 ms, a whole start 11 ms
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    mount(f"/proc/self/fd/{source}", place, None, MS_BIND | MS_REC)
    attributes = (ctypes.c_uint64 * 4)(deny, 0, 0, 0)
    check(libc.syscall(MOUNT_SETATTR, AT_FDCWD, place.encode(), AT_RECURSIVE, attributes, 32), place)
    os.close(source)


def write(path: str, text: str) -> None:
    """Write to a file of the kernel, or to a new file."""
    descriptor: int = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with open(descriptor, "w") as file:
        file.write(text)


def become(uid: int | None) -> None:
    """Become this user, with the group of the same number and no other group. None: stay as we are."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def die_with(parent: int) -> None:
    """Be killed when the supervisor's main thread ends. A change of credentials would undo this, so it comes late."""
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        raise OSError("the supervisor has already ended")


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
