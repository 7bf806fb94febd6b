"""Asking a program on the host something, and waiting for its answer only so long."""

import math
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.5


def run_program(command: Sequence[str | Path], seconds: float, **popen: Any) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without stdin, and return what it said. Raises OSError, subprocess.TimeoutExpired.

    The wait is many short ones: one in which all of us stood still (a suspended host, SIGSTOP) counts as one of them,
    where a single long one would be over before the answer was read.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        **popen,
    ) as asked:
        try:
            for _ in range(math.ceil(seconds / LOOK_SECONDS)):
                with suppress(subprocess.TimeoutExpired):
                    said, complained = asked.communicate(timeout=LOOK_SECONDS)
                    return subprocess.CompletedProcess(command, asked.returncode, said, complained)
        finally:
            asked.kill()
    raise subprocess.TimeoutExpired([str(word) for word in command], seconds)
