"""Whether this process can still open a file descriptor."""

import errno
import os

USED_UP = (errno.EMFILE, errno.ENFILE)
START = 32
"""What the checks of a start have open at once: pipes, memfds and mounts of a sandbox, and files of the browser."""

CONFIG = 4
"""What reading the configuration has open at once: a file, and the folder or the part of the program around it."""


def descriptor_trouble(count: int = 1) -> str:
    """Why `count` descriptors cannot be opened, for operators; "" while they can. Raises any other OSError."""
    opened: list[int] = []
    try:
        for _ in range(count):
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in USED_UP:
            raise
        whose = "this process" if error.errno == errno.EMFILE else "this host"
        free = f"{len(opened)} free file descriptors, and needs {count}" if opened else "no free file descriptors"
        return f"{whose} has {free} ({error.strerror}): raise its limit (LimitNOFILE)"
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return ""
