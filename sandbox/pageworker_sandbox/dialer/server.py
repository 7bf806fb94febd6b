"""Serves one gateway: every question is a task of its own, and none of them can change the rules."""

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
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed
from pageworker_sandbox.wire.messages import Message


class DialServer:
    """`run` returns when the gateway is gone."""

    def __init__(self, gateway: Channel, rules: TargetRules, look_up: LookUp) -> None:
        self._gateway = gateway
        self._rules = rules
        self._look_up = look_up
        self._cells: dict[str, DirectConnector] = {}
        self._asked: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Answer. Raises ProtocolViolation when the gateway breaks the vocabulary."""
        async with asyncio.TaskGroup() as tasks:
            try:
                while True:
                    message, _ = await self._gateway.receive()
                    self._take(tasks, message)
            except ChannelClosed:
                for task in self._asked.values():
                    task.cancel()

    def _take(self, tasks: asyncio.TaskGroup, message: Message) -> None:
        match message:
            case Resolve(number=number) | Connect(number=number):
                task = tasks.create_task(self._answer(message))
                self._asked[number] = task
                task.add_done_callback(lambda _: self._asked.pop(number, None))
            case Abandon(number=number):
                if (asked := self._asked.get(number)) is not None:
                    asked.cancel()
            case ForgetRunner(cell_id=cell_id):
                if (cell := self._cells.pop(cell_id, None)) is not None:
                    cell.close()
            case _:
                raise TypeError(f"{type(message).__name__} is in the vocabulary and not obeyed")

    async def _answer(self, message: Resolve | Connect) -> None:
        try:
            if isinstance(message, Resolve):
                await self._gateway.send(await self._resolve(message))
            else:
                await self._connect(message)
        except ChannelClosed:
            return  # `run` ends by itself

    async def _resolve(self, message: Resolve) -> Resolved:
        try:
            found = await self._cell(message.cell_id).resolve(message.name)
        except (OSError, UnicodeError) as error:
            return Resolved(number=message.number, error=str(error)[:256] or "not resolved")
        addresses = tuple(str(address) for address in found.addresses[:MAX_ADDRESSES])
        return Resolved(number=message.number, addresses=addresses, local=found.local)

    async def _connect(self, message: Connect) -> None:
        try:
            address = ip_address(message.address)
            sock = await self._cell(message.cell_id).connect(address, message.port)
        except EgressRefused as refused:
            await self._gateway.send(NotConnected(number=message.number, barred=refused.reason))
        except (OSError, ValueError) as error:
            await self._gateway.send(NotConnected(number=message.number, error=str(error)[:256] or "not connected"))
        else:
            with sock:
                await self._gateway.send(Connected(number=message.number), [sock.fileno()])

    def _cell(self, cell_id: str) -> DirectConnector:
        cell = self._cells.get(cell_id)
        if cell is None:
            cell = self._cells[cell_id] = DirectConnector(self._rules, self._look_up)
        return cell
