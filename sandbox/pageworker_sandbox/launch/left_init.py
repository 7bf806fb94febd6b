"""The init process of a sandbox that ran a program to its end.

bubblewrap ends when init has told it the exit code, and does not wait for init. Where this process inherits orphans, as
the first process of a container does, init would stay as its zombie.
"""

import json
import os
from contextlib import suppress

MAX_INFO_BYTES = 4096
"""Of what bubblewrap reports by `--info-fd`."""


def await_init(info_descriptor: int) -> None:
    """Wait for the init process that bubblewrap has reported into this memfd. bubblewrap itself has ended.

    Returns at once if there was none, or if another process inherits it. Start bubblewrap with `--die-with-parent`:
    else this waits for an init that goes on.
    """
    if info := os.pread(info_descriptor, MAX_INFO_BYTES, 0):
        with suppress(ChildProcessError):
            os.waitpid(int(json.loads(info)["child-pid"]), 0)
