"""`python -m pageworker_sandbox.dialer --channel-fd N --gateway-fd M`: the dialer process, started by the launcher.

Theory of operation: the supervisor sends the rules. Then Landlock refuses this process every TCP port that the rules do
not name. Only after that the dialer serves the gateway. Later the supervisor may send other rules; Landlock
keeps its ports. Rules that cannot be read then are refused, and the old ones stay. The dialer ends when the gateway
closes its socket.
"""

import argparse
import asyncio
import os
import resource
import signal
import socket
import sys

import uvloop

from pageworker_sandbox.confine import landlock, threads
from pageworker_sandbox.dialer import messages as m
from pageworker_sandbox.dialer.connector import look_up
from pageworker_sandbox.dialer.server import DialServer
from pageworker_sandbox.dialer.targets import TargetRules, parse_rules
from pageworker_sandbox.egress.errors import MalformedTarget
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed, WireError

DNS_PORT = 53
"""A DNS answer that is too long for a datagram comes by TCP."""


async def serve(supervisor: socket.socket, gateway: socket.socket) -> None:
    """Serve the gateway until it closes the channel. Raises WireError, ConfinementFailed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    channel = Channel(supervisor, outgoing=m.TO_SUPERVISOR, incoming=m.FROM_SUPERVISOR)
    try:
        first = await _receive(channel)
        number, rules = first.number, _parsed(first)
        restricted = restrict(rules)
        await channel.send(m.RulesAccepted(landlock_ports=restricted, number=number))
        async with TaskGroup() as tasks:
            following = tasks.create_task(_follow(channel, rules, landlock_ports=restricted))
            await DialServer(Channel(gateway, outgoing=m.TO_GATEWAY, incoming=m.FROM_GATEWAY), rules, look_up).run()
            following.cancel()
    finally:
        channel.close()


async def _receive(channel: Channel) -> m.DialRules:
    message, _ = await channel.receive()
    if not isinstance(message, m.DialRules):
        raise TypeError(f"expected the rules, not {type(message).__name__}")
    return message


def _parsed(rules: m.DialRules) -> TargetRules:
    """Raises MalformedTarget."""
    return parse_rules(rules.ports, rules.targets, rules.barred, rules.proxy_ports)


async def _follow(channel: Channel, rules: TargetRules, *, landlock_ports: bool) -> None:
    """Keep the rules as the supervisor sends them, until it closes the channel."""
    try:
        while True:
            newer = await _receive(channel)
            try:
                rules.replace_with(_parsed(newer))
            except MalformedTarget as error:
                # To end here would end the gateway too, and take the network from every runner.
                await channel.send(m.RulesRefused(number=newer.number, error=str(error)[:256]))
            else:
                await channel.send(m.RulesAccepted(landlock_ports=landlock_ports, number=newer.number))
    except ChannelClosed:
        return


def restrict(rules: TargetRules) -> bool:
    """Permanently give up all other TCP ports. False: Landlock has no network rules here (before Linux 6.7)."""
    if landlock.abi() < landlock.NET_ABI:
        return False
    ports = (*rules.tcp_ports, DNS_PORT)
    landlock.restrict(landlock.AccessFs(0), {}, connect_ports=ports, scopes=True, threads=threads.count())
    return True


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def main() -> int:
    """Exit status 0 after the gateway has closed the channel, 1 after a peer broke the protocol."""
    parser = argparse.ArgumentParser(prog="python -m pageworker_sandbox.dialer")
    parser.add_argument("--channel-fd", type=int, required=True, metavar="N")
    parser.add_argument("--gateway-fd", type=int, required=True, metavar="M")
    arguments = parser.parse_args()
    # Ctrl-C in the supervisor's terminal sends SIGINT to this process too. The supervisor decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ends = (socket.socket(fileno=arguments.channel_fd), socket.socket(fileno=arguments.gateway_fd))
            runner.run(serve(*ends))
    except* WireError as group:
        sys.stderr.write(f"dialer: {_first(group)}\n")
        code = 1
    return code


if __name__ == "__main__":
    # os._exit does not wait for threads that are still in an abandoned name lookup.
    code = main()
    sys.stderr.flush()
    os._exit(code)
