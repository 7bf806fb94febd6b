"""The dialer's end of the channel to the gateway. Each request runs as a task of its own; none can change the rules."""

import asyncio
from ipaddress import ip_address

from pageworker_sandbox.dialer.connector import DirectConnector, LookUp
from pageworker_sandbox.dialer.messages import (
    MAX_ADDRESSES,
    Abandon,
    Connect,
    Connected,
    ForgetRunner,
    NotConnected,
    Resolve,
    Resolved,
)
from pageworker_sandbox.dialer.targets import TargetRules
from pageworker_sandbox.egress.errors import EgressRefused
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed
from pageworker_sandbox.wire.messages import Message


class DialServer:
    """`run` returns when the gateway has closed the channel."""

    def __init__(self, gateway: Channel, rules: TargetRules, look_up: LookUp) -> None:
        self._gateway = gateway
        self._rules = rules
        self._look_up = look_up
        self._connectors: dict[str, DirectConnector] = {}
        """By runner id."""
        self._requests: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Answer requests. Raises ProtocolViolation if the gateway breaks the protocol."""
        async with TaskGroup() as tasks:
            try:
                while True:
                    message, _ = await self._gateway.receive()
                    self._handle(tasks, message)
            except ChannelClosed:
                for task in self._requests.values():
                    task.cancel()

    def _handle(self, tasks: asyncio.TaskGroup, message: Message) -> None:
        match message:
            case Resolve(number=number) | Connect(number=number):
                task = tasks.create_task(self._answer(message))
                self._requests[number] = task
                task.add_done_callback(lambda _: self._requests.pop(number, None))
            case Abandon(number=number):
                if (request := self._requests.get(number)) is not None:
                    request.cancel()
            case ForgetRunner(runner_id=runner_id):
                if (connector := self._connectors.pop(runner_id, None)) is not None:
                    connector.close()
            case _:
                raise TypeError(f"the dialer has no handler for {type(message).__name__}")

    async def _answer(self, message: Resolve | Connect) -> None:
        try:
            if isinstance(message, Resolve):
                await self._gateway.send(await self._resolve(message))
            else:
                await self._connect(message)
        except ChannelClosed:
            return  # `run` sees the closed channel too, and returns

    async def _resolve(self, message: Resolve) -> Resolved:
        try:
            found = await self._connector(message.runner_id).resolve(message.name)
        except (OSError, UnicodeError) as error:
            return Resolved(number=message.number, error=str(error)[:256] or "the name was not resolved")
        addresses = tuple(str(address) for address in found.addresses[:MAX_ADDRESSES])
        return Resolved(number=message.number, addresses=addresses, local=found.local)

    async def _connect(self, message: Connect) -> None:
        try:
            address = ip_address(message.address)
            sock = await self._connector(message.runner_id).connect(address, message.port)
        except EgressRefused as refused:
            await self._gateway.send(NotConnected(number=message.number, refused=refused.reason))
        except (OSError, ValueError) as error:
            text = str(error)[:256] or "the connection failed"
            number = error.errno if isinstance(error, OSError) and error.errno else 0
            await self._gateway.send(NotConnected(number=message.number, error=text, errno=number))
        else:
            with sock:
                await self._gateway.send(Connected(number=message.number), [sock.fileno()])

    def _connector(self, runner_id: str) -> DirectConnector:
        connector = self._connectors.get(runner_id)
        if connector is None:
            connector = self._connectors[runner_id] = DirectConnector(self._rules, self._look_up)
        return connector
