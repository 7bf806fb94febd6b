"""The image's HEALTHCHECK: exits with 0 if the worker answers `GET /healthz` with 200, else with 1 and the reason.

It imports nothing but a socket, so that a check costs little. It follows PAGEWORKER_HTTP__BIND and no configuration
file: who sets `http.bind` in a file sets the variable to the same.
"""

import os
import socket
import sys

DEFAULT_BIND = "127.0.0.1:9470"
TIMEOUT_SECONDS = 2.0
"""To connect, and to wait for the answer. Both together take less than the timeout of the HEALTHCHECK, so that the
reason is printed."""
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where the worker listens, not this program


def address(bind: str) -> tuple[str, int]:
    """Where to ask a worker with this `http.bind`. Raises ValueError."""
    host, _, port = bind.rpartition(":")
    return ANY_ADDRESS.get(host, host).strip("[]"), int(port)


def problem(bind: str) -> str:
    """Why the worker is not alive; an empty text if it is."""
    try:
        with socket.create_connection(address(bind), TIMEOUT_SECONDS) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.sendall(REQUEST)
            answer = connection.recv(64)
    except (OSError, ValueError) as error:
        return f"http://{bind}/healthz: {error}"
    status_line = answer.partition(b"\r\n")[0].decode("latin-1")
    return "" if status_line.split(" ")[1:2] == ["200"] else f"http://{bind}/healthz answered {status_line!r}"


if __name__ == "__main__":
    found = problem(os.environ.get("PAGEWORKER_HTTP__BIND", DEFAULT_BIND))
    sys.exit(found or 0)
