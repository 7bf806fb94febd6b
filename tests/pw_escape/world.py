"""The targets of the attacks: a host with processes, files and sockets beside the sandboxes."""

import ctypes
import os
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyseccomp
from pw_sandbox.uids import FIRST_UID

from pageworker_sandbox.launch.mounts import Bind, MountMode
from pw_escape import network
from pw_escape.names import NameServer
from pw_escape.prelude import PRELUDE
from pw_escape.weaken import HostTargets

UID, OTHER_UID, ADMIN_UID = (FIRST_UID, FIRST_UID + 2, 0) if os.geteuid() == 0 else (None, None, None)
"""Users of the attacker's sandbox, of another tenant's sandbox, and of the supervisor."""
BROWSER_UIDS = range(FIRST_UID + 10, FIRST_UID + 90)
"""Users of sandboxes with a browser, one each, because processes are counted per user."""
IPC_CREAT, O_CREAT_RDWR = 0o1000, 0o102
KEY = 0x70770001
QUEUE = b"pw-escape"
PROGRAMS = ("/usr/bin", "/bin", "/usr/sbin")


class World:
    """Created once. `names` is what attackers know of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        self._made = 0
        self._processes: dict[int | None, subprocess.Popen[bytes]] = {}
        self._sockets: list[socket.socket] = []
        self.secret = self._file(folder / "host" / "secret", 0o600, ADMIN_UID)
        self.neighbour = self._folder(folder / "neighbour", OTHER_UID)
        self._file(self.neighbour / "Cookies", 0o600, OTHER_UID)
        self.code = self._folder(folder / "code", UID, 0o777)
        self.library = folder / "library"
        self._file(self.library / "site-packages" / "installed.py", 0o644, None)
        self._program(self.code / "maker", 0o755, UID, "maker_program")
        self._program(self.code / "program", 0o755, UID)
        self.shell = Path("/bin/sh").resolve()
        self.ports = {
            "tcp": self._listen(socket.AF_INET, ("127.0.0.1", 0)),
            "tcp6": self._listen(socket.AF_INET6, ("::1", 0)),
            "odd": self._listen(socket.AF_INET, ("0.0.0.0", 0)),
            "web": self._listen(socket.AF_INET, ("0.0.0.0", 80)),
            "web6": self._listen(socket.AF_INET6, ("::", 80), only=True),
        }
        self.abstract = f"\0pw-escape-{os.getpid()}"
        self._listen(socket.AF_UNIX, self.abstract)
        self._listen(socket.AF_UNIX, str(folder / "host" / "socket"))
        (folder / "host" / "socket").chmod(0o777)
        self.name_server = NameServer()
        self._ipc()

    @property
    def targets(self) -> HostTargets:
        """What a sandbox without a root of its own would show."""
        shown = [self.folder / "host", self.neighbour, Path("/etc/passwd"), Path("/etc/shadow"), self.shell]
        shown += [Path("/dev/kmsg"), Path("/sys/kernel"), Path("/sys/fs"), Path("/usr/share/doc")]
        mounts = tuple(
            Bind(path, path, MountMode.DEVICE if path.is_relative_to("/dev") else MountMode.READ_ONLY)
            for path in shown
            if path.exists()
        )
        return HostTargets(mounts, OTHER_UID, self.secret)

    def scratch(self) -> Path:
        """Path of a new folder, which does not exist yet."""
        self._made += 1
        return self.folder / f"scratch-{self._made}"

    def profile(self, user: int | None) -> Path:
        """A new profile folder for the attacker."""
        self._made += 1
        folder = self._folder(self.folder / f"profile-{self._made}", user)
        if os.geteuid() == 0:
            # No runner can create these. They stand for files that came into the profile in another way.
            self._program(folder / "setuid", 0o4755, 0, "euid_program")
            os.mknod(folder / "device", 0o20666, os.makedev(1, 5))
            os.chown(folder / "device", user or 0, user or 0)
        return folder

    def names(self) -> dict[str, Any]:
        """The value of HOST for attackers. Starts the processes again that an attack has ended."""
        return {
            "uid": UID if UID is not None else os.getuid(),
            "bait": self._process(UID),
            "other": self._process(OTHER_UID),
            "admin": self._process(ADMIN_UID),
            "supervisor": os.getpid(),
            "secret": str(self.secret),
            "neighbour": str(self.neighbour),
            "shell": str(self.shell),
            "socket": str(self.folder / "host" / "socket"),
            "abstract": self.abstract,
            "hostname": os.uname().nodename,
            "key": KEY,
            "metadata": network.METADATA,
            "private": network.PRIVATE,
            "public": network.PUBLIC,
            **self.ports,
        }

    def close(self) -> None:
        """End what was started."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self.name_server.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        libc = ctypes.CDLL(None)
        for name in ("shm", "msg", "sem"):
            number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, f"{name}get")
            found = libc.syscall(number, KEY, 1 if name == "sem" else 0, 0)
            remove = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, f"{name}ctl")
            libc.syscall(remove, found, 0, 0, 0)

    def _process(self, user: int | None) -> int:
        process = self._processes.get(user)
        if process is not None and process.poll() is None:
            return process.pid
        process = self._processes[user] = subprocess.Popen(
            ["sleep", "1000"],
            stdin=subprocess.DEVNULL,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        return process.pid

    def _folder(self, path: Path, user: int | None, mode: int = 0o700) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if user is not None:
            os.chown(path, user, user)
        return path

    def _file(self, path: Path, mode: int, user: int | None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
        path.chmod(mode)
        if user is not None:
            os.chown(path, user, user)
        return path

    def _program(self, path: Path, mode: int, user: int | None, kind: str = "program") -> None:
        """A program that always succeeds, or succeeds only as root, or creates a file."""
        names: dict[str, Any] = {"NR": {}}
        exec(PRELUDE, names)
        path.write_bytes(names[kind]())
        if user is not None:
            os.chown(path, user, user)
        path.chmod(mode)

    def _listen(self, family: int, address: Any, *, only: bool = False) -> int:
        """Listen on an address, and answer everything that is received."""
        sock = socket.socket(family)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if only:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(64)
        self._sockets.append(sock)
        threading.Thread(target=_answer, args=(sock,), daemon=True).start()
        return int(sock.getsockname()[1]) if family != socket.AF_UNIX else 0

    def _ipc(self) -> None:
        """Create IPC objects of System V and POSIX that every user may access."""
        libc = ctypes.CDLL(None, use_errno=True)
        for name, arguments in (
            ("shmget", (KEY, 4096, IPC_CREAT | 0o666)),
            ("msgget", (KEY, IPC_CREAT | 0o666)),
            ("semget", (KEY, 1, IPC_CREAT | 0o666)),
        ):
            libc.syscall(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name), *arguments)
        old = os.umask(0)
        queue = libc.syscall(
            pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, "mq_open"), QUEUE, O_CREAT_RDWR, 0o666, None
        )
        os.umask(old)
        if queue >= 0:
            os.close(queue)


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(connection,), daemon=True).start()


def _talk(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while connection.recv(4096):
            where = str(connection.getsockname()[0] if connection.family != socket.AF_UNIX else "").encode()
            head = b"HTTP/1.1 200 OK\r\nX-At: " + where + b"\r\nContent-Length: 2\r\n\r\n"
            connection.sendall(head + b"ok")
