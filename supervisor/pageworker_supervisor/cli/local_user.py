"""Who runs the command, for records and for what others read."""

import getpass
import os
import socket


def local_user() -> str:
    """The name of the user; with sudo, of the one who called it. `uid N` for a user id without a name, as in
    containers."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # KeyError: before Python 3.13
        return f"uid {os.getuid()}"
    # A name from the environment may have any bytes.
    return name.encode(errors="replace").decode()


def user_at_host() -> str:
    """`ada@ops1`."""
    return f"{local_user()}@{socket.gethostname()}"
