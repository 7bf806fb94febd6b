"""`python -m pageworker_sandbox.egress --channel-fd N --dialer-fd M [--ca-fd K]`: the gateway process.

It has no network. Runners' listeners come from the supervisor, connected sockets from the dialer. Before it serves,
Landlock takes every file from it, and TCP.
"""

import argparse
import asyncio
import codecs
import os
import resource
import signal
import socket
import ssl
import sys

import uvloop

from pageworker_sandbox.confine import landlock, threads
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.dialer.client import DialerClient
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import TO_GATEWAY, TO_SUPERVISOR
from pageworker_sandbox.egress.server import GatewayServer
from pageworker_sandbox.egress.upstream_tls import client_context
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import WireError

CODECS = ("ascii", "idna", "latin-1", "utf-8")
"""Python loads a codec from its file when it is first used. `idna` is used for the host name of a proxy with TLS."""


async def serve(sock: socket.socket, dialer_sock: socket.socket, proxy_tls: ssl.SSLContext) -> None:
    """Serve until the supervisor closes the channel. Raises WireError if the supervisor or the dialer fails."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    channel = Channel(sock, outgoing=TO_SUPERVISOR, incoming=TO_GATEWAY)
    try:
        dialer = DialerClient(dialer_sock)
        async with TaskGroup() as tasks:
            connecting = tasks.create_task(dialer.run())
            await GatewayServer(channel, EgressLimits().within(hard), dialer, proxy_tls).run()
            connecting.cancel()
    finally:
        channel.close()


def confine() -> None:
    """Permanently give up all files, TCP connections and listeners, and signals to other processes.

    Passed sockets stay usable. Raises ConfinementFailed.
    """
    for name in CODECS:
        codecs.lookup(name)
    landlock.restrict(landlock.all_fs(landlock.abi()), {}, net=True, scopes=True, threads=threads.count())


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _read_all(descriptor: int | None) -> str:
    """The text of a file that the launcher passed, and closes it."""
    if descriptor is None:
        return ""
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        return file.read()


def main() -> int:
    """Exit status 0 after the supervisor closed the channel, 1 after a peer broke the protocol or the dialer ended."""
    parser = argparse.ArgumentParser(prog="python -m pageworker_sandbox.egress")
    parser.add_argument("--channel-fd", type=int, required=True, metavar="N")
    parser.add_argument("--dialer-fd", type=int, required=True, metavar="M")
    parser.add_argument("--ca-fd", type=int, metavar="K", help="PEM certificates that sign those of https:// proxies")
    arguments = parser.parse_args()
    proxy_tls = client_context(_read_all(arguments.ca_fd))
    # Ctrl-C in the supervisor's terminal sends SIGINT to this process too. The supervisor decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = 0
    try:
        confine()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ends = socket.socket(fileno=arguments.channel_fd), socket.socket(fileno=arguments.dialer_fd)
            runner.run(serve(*ends, proxy_tls))
    except* (WireError, ConfinementFailed) as group:
        sys.stderr.write(f"egress gateway: {_first(group)}\n")
        code = 1
    return code


if __name__ == "__main__":
    # os._exit does not wait for threads that still accept on a listener.
    code = main()
    sys.stderr.flush()
    os._exit(code)
