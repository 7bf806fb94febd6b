"""`python -m pageworker_runner --channel-fd N --filter-fd M`: the launcher starts it inside the sandbox."""

# ruff: noqa: E402 - imports come after gc.disable

import gc

# What imports make is no garbage, and each collection meanwhile looks at all of it again.
gc.disable()

import argparse
import asyncio
import os
import socket

from pageworker_runner.environment import KernelConfinement, RunnerEnvironment
from pageworker_runner.process import run_process


def main() -> None:
    """Take over the inherited descriptors and run until the process ends."""
    # For good: no later collection has to look at what was imported.
    gc.freeze()
    gc.enable()
    parser = argparse.ArgumentParser(prog="pageworker_runner")
    parser.add_argument("--channel-fd", type=int, required=True, help="Unix socket to the supervisor")
    parser.add_argument("--filter-fd", type=int, required=True, help="compiled seccomp filter, loaded after the start")
    given = parser.parse_args()
    for descriptor in (given.channel_fd, given.filter_fd):
        os.set_inheritable(descriptor, False)
    environment = RunnerEnvironment(KernelConfinement(given.filter_fd))
    asyncio.run(run_process(socket.socket(fileno=given.channel_fd), environment))


if __name__ == "__main__":
    main()
