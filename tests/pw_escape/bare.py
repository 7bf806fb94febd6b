"""A stand-in for bubblewrap that makes no user namespace. It is for attacks that the user namespace, nosuid or
no_new_privs refuses.

Only root can run it. It accepts the command line that bubblewrap.py writes.
"""

import ctypes
import json
import os
import socket
import struct
from typing import Any, NoReturn

from pw_escape import mechanisms as m

FLAGS = {
    "--unshare-ipc": 0x08000000,
    "--unshare-pid": 0x20000000,
    "--unshare-net": 0x40000000,
    "--unshare-uts": 0x04000000,
    "--unshare-cgroup": 0x02000000,
}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC = 0x1, 0x2, 0x4, 0x20, 0x1000, 0x4000
NEW = "/tmp/root"
UID: list[int | None] = []
# Any: the launcher's own function, which `run` keeps here.
BECOME: Any = None


def run(argv: list[str], env: dict[str, str], without: frozenset[str], launcher: Any) -> NoReturn:
    """Become the program after `--`."""
    command = argv[argv.index("--") + 1 :]
    with open(int(argv[argv.index("--args") + 1]), "rb") as file:
        words = file.read().decode().split("\0")[:-1]
    namespaces = sum(FLAGS.get(word, 0) for word in words)
    launcher.unshare(namespaces)
    if namespaces & FLAGS["--unshare-net"]:
        _loopback_up()
    info = int(words[words.index("--info-fd") + 1])
    child = os.fork()
    if child:
        os.write(info, json.dumps({"child-pid": child}).encode())
        for descriptor in range(3, 64):
            try:
                os.close(descriptor)
            except OSError:
                continue
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    launcher.prctl(launcher.PR_SET_PDEATHSIG, 9)
    os.read(int(words[words.index("--block-fd") + 1]), 1)
    _root(words, launcher, without)
    if m.ENVIRONMENT not in without:
        env = {}
    env |= {"HOME": "/tmp", "LANG": "C.UTF-8"}
    if "--new-session" in words:
        os.setsid()
    for name in ("--info-fd", "--block-fd"):
        os.close(int(words[words.index(name) + 1]))
    # Still as root: without no_new_privs, only a process with CAP_SYS_ADMIN can install a filter.
    seccomp = int(words[words.index("--seccomp") + 1])
    code = os.read(seccomp, 1 << 20)
    os.close(seccomp)
    if UID and UID[0] is not None:
        # The filter permits the change of user. In the other order the filter would need no_new_privs.
        _filter(code, launcher)
        BECOME(UID[0])
    else:
        if "--cap-drop" in words:
            _drop_capabilities(launcher)
        _filter(code, launcher)
    os.execve(command[0], command, env)


def _root(words: list[str], launcher: Any, without: frozenset[str]) -> None:
    os.mkdir(NEW)
    launcher.mount("tmpfs", NEW, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    rest = iter(words)
    read_only: list[str] = []
    for word in rest:
        match word:
            case "--bind" | "--ro-bind" | "--dev-bind":
                source, place = next(rest), NEW + next(rest)
                _point(source, place)
                launcher.mount(source, place, None, MS_BIND | MS_REC)
                if word == "--ro-bind":
                    _read_only(place, launcher)
            case "--tmpfs":
                place = NEW + next(rest)
                os.makedirs(place, exist_ok=True)
                launcher.mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
            case "--symlink":
                target, place = next(rest), NEW + next(rest)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.symlink(target, place)
            case "--proc":
                place = NEW + next(rest)
                os.makedirs(place, exist_ok=True)
                launcher.mount("proc", place, "proc", MS_NOSUID | MS_NODEV)
                if m.READ_ONLY_PROC not in without:
                    _read_only_sysctl(place, launcher)
            case "--remount-ro":
                read_only.append(NEW + next(rest).rstrip("/"))
            case "--hostname":
                socket.sethostname(next(rest))
    for place in read_only:
        # A remount with MS_BIND changes the flags of this mount alone.
        launcher.mount(None, place, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chroot(NEW)
    os.chdir("/")


def _read_only(place: str, launcher: Any) -> None:
    attributes = (ctypes.c_uint64 * 4)(1, 0, 0, 0)
    launcher.check(launcher.libc.syscall(442, -100, place.encode(), 0x8000, attributes, 32), place)


def _read_only_sysctl(proc: str, launcher: Any) -> None:
    for name in ("sys", "sysrq-trigger", "irq", "bus"):
        if os.path.exists(f"{proc}/{name}"):
            launcher.mount(f"{proc}/{name}", f"{proc}/{name}", None, MS_BIND | MS_REC)
            _read_only(f"{proc}/{name}", launcher)


def _point(source: str, place: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    elif not os.path.exists(place):
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))


def _filter(code: bytes, launcher: Any) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    launcher.check(launcher.libc.prctl(22, ctypes.c_ulong(2), program, 0, 0), "seccomp")


def _drop_capabilities(launcher: Any) -> None:
    # From the bounding set too, because root's exec would restore them.
    for capability in range(64):
        launcher.libc.prctl(24, ctypes.c_ulong(capability), 0, 0, 0)
    launcher.check(launcher.libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)), "capset")


def _loopback_up() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh22x", b"lo", 0x1 | 0x40))
