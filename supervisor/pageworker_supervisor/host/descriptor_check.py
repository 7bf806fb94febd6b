"""Whether this process can still open a file descriptor."""

import errno
import os

USED_UP = (errno.EMFILE, errno.ENFILE)


def descriptor_trouble() -> str:
    """Why no descriptor can be opened, for operators; "" while one can. Raises OSError for any other failure."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in USED_UP:
            raise
        whose = "this process" if error.errno == errno.EMFILE else "this host"
        return f"{whose} has no free file descriptors ({error.strerror}): raise its limit (LimitNOFILE)"
    return ""
