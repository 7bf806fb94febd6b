"""Whether this process can still open anything."""

import errno
import os

USED_UP = (errno.EMFILE, errno.ENFILE)


def descriptor_trouble() -> str:
    """Why nothing more can be opened, for people; "" while it can."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in USED_UP:
            raise
        whose = "this process" if error.errno == errno.EMFILE else "this host"
        return f"the descriptors of {whose} are used up ({error.strerror}): raise its limit (LimitNOFILE)"
    return ""
