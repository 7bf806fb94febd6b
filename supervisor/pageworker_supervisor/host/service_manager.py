"""Messages to the service manager that started the daemon: the protocol of sd_notify(3), over one datagram socket.

systemd names the socket in NOTIFY_SOCKET, podman and other managers do so too. The variables are taken out of the
environment, so that no child process can speak for the daemon.
"""

import errno
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.telemetry import log

SOCKET, WATCHDOG_USEC, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
STATUS_CHARACTERS = 300
GONE = frozenset({errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNRESET})
"""There was no socket at the start of the daemon, or its process has ended."""
LONGEST_ADDRESS = 107
"""unix(7): `sun_path` has 108 bytes, one of them for the byte that ends a path or begins an abstract name."""


class ServiceManager:
    """The service manager. Without one, every message is dropped."""

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        """`address`: a path, or an abstract name that begins with `@`; "" without a service manager."""
        self.watchdog_seconds = watchdog_seconds
        """A daemon that is silent for longer is restarted. None: there is no watchdog."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            # A message that does not fit into the queue of a manager that hangs must not stop the daemon.
            self._socket.setblocking(False)
            # Now: a worker that is root yet may reach a socket that its later user may not. send() reports a failure.
            with suppress(OSError):
                self._socket.connect(self._address)
        self._trouble = ""

    @property
    def present(self) -> bool:
        """Whether there is a service manager to report to."""
        return self._socket is not None

    def send(self, *lines: str) -> None:
        """Send one message of these lines, e.g. `READY=1`. A failure is logged once, until a message is sent again."""
        if self._socket is None:
            return
        try:
            self._send("\n".join(lines).encode())
        except OSError as error:
            if not self._trouble:
                log.warning("the service manager takes no messages", reason=str(error))
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _send(self, message: bytes) -> None:
        connected = self._socket
        if connected is None:
            return
        try:
            connected.send(message)
        except OSError as error:
            if error.errno not in GONE:
                raise
            connected.connect(self._address)  # another process may listen there by now
            connected.send(message)

    def close(self) -> None:
        """Send nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def service_manager(environ: MutableMapping[str, str]) -> ServiceManager:
    """The service manager that these variables name. Removes them. Raises HostRefused for a value that is invalid."""
    address = environ.pop(SOCKET, "")
    usec, pid = environ.pop(WATCHDOG_USEC, ""), environ.pop(WATCHDOG_PID, "")
    if address and (address[0] not in "/@" or not 1 < len(os.fsencode(address)) <= LONGEST_ADDRESS):
        mend = "start the daemon with a path, with a name that begins with @, or without the variable"
        raise HostRefused(f"{SOCKET} {printable(address)} is no address of a Unix socket", mend)
    if usec and not (usec.isascii() and usec.isdecimal() and int(usec) > 0):
        raise HostRefused(f"{WATCHDOG_USEC} {printable(usec)} is no number of microseconds", "set it to 1 or more")
    # sd_watchdog_enabled(3): it may be meant for a process that this one was started by.
    watched = bool(usec) and pid in ("", str(os.getpid()))
    return ServiceManager(address, int(usec) / 1e6 if watched else None)


def status_line(text: str) -> str:
    """`STATUS=` with one line of text, of at most STATUS_CHARACTERS."""
    line = printable(text)
    return "STATUS=" + (line if len(line) <= STATUS_CHARACTERS else line[: STATUS_CHARACTERS - 1] + "…")


def extend_line(seconds: float) -> str:
    """Asks the manager to wait for this long, from now on, before it takes a start or a stop for hung."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"
