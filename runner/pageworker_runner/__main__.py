"""`python -m pageworker_runner --channel-fd N --filter-fd M`, started by the launcher inside the sandbox."""

import argparse
import asyncio
import os
import socket

from pageworker_runner.environment import KernelConfinement, RunnerEnvironment
from pageworker_runner.process import live


def main() -> None:
    """Take the inherited descriptors and live."""
    parser = argparse.ArgumentParser(prog="pageworker_runner")
    parser.add_argument("--channel-fd", type=int, required=True, help="Unix socket to the supervisor")
    parser.add_argument("--filter-fd", type=int, required=True, help="compiled seccomp filter, loaded after the start")
    given = parser.parse_args()
    for descriptor in (given.channel_fd, given.filter_fd):
        os.set_inheritable(descriptor, False)
    ground = RunnerEnvironment(KernelConfinement(given.filter_fd))
    asyncio.run(live(socket.socket(fileno=given.channel_fd), ground))


if __name__ == "__main__":
    main()
