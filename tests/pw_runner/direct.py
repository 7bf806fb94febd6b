"""python -m pw_runner.direct FD PROFILE: a runner without its sandbox, for what has nothing to do with it."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from pageworker_runner.environment import RunnerEnvironment
from pageworker_runner.process import run_process


class NoConfinement:
    """Gives nothing up."""

    def allow_exec(self, programs: Sequence[str]) -> None:
        """Nothing, but what is asked for has to exist."""
        assert all(Path(program).exists() for program in programs)

    def confine(self) -> dict[str, str]:
        """Nothing."""
        return {}


if __name__ == "__main__":
    asyncio.run(
        run_process(socket.socket(fileno=int(sys.argv[1])), RunnerEnvironment(NoConfinement(), Path(sys.argv[2])))
    )
