"""python -m pw_runner.direct FD PROFILE: a runner without a sandbox, for tests that need none."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from pageworker_runner.environment import RunnerEnvironment
from pageworker_runner.process import run_process


class NoConfinement:
    """Gives up no rights."""

    def allow_exec(self, programs: Sequence[str]) -> None:
        """Check only that the programs exist."""
        assert all(Path(program).exists() for program in programs)

    def confine(self) -> dict[str, str]:
        """Do nothing."""
        return {}


if __name__ == "__main__":
    asyncio.run(
        run_process(socket.socket(fileno=int(sys.argv[1])), RunnerEnvironment(NoConfinement(), Path(sys.argv[2])))
    )
