"""The gateway's end: asks the dialer, and waits for as long as somebody wants the answer."""

import asyncio
import itertools
import socket
from ipaddress import ip_address

from pageworker_sandbox.dialer.connector import Resolution
from pageworker_sandbox.dialer.messages import (
    FROM_GATEWAY,
    TO_GATEWAY,
    Abandon,
    Connect,
    Connected,
    ForgetRunner,
    NotConnected,
    Resolve,
    Resolved,
)
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed

Answer = Resolved | NotConnected | socket.socket


class DialerClient:
    """One dialer, for all cells. `run` has to run as long as the others are used."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock, outgoing=FROM_GATEWAY, incoming=TO_GATEWAY)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._told: asyncio.Queue[Abandon | ForgetRunner] = asyncio.Queue()

    async def run(self) -> None:
        """Hand out answers. Raises ChannelClosed (in a group) at the end: without it the gateway is of no use."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tell())
                while True:
                    message, descriptors = await self._channel.receive()
                    match message:
                        case Connected(number=number):
                            self._settle(number, socket.socket(fileno=descriptors[0]))
                        case Resolved(number=number) | NotConnected(number=number):
                            self._settle(number, message)
        finally:
            self._channel.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(OSError("the dialer is gone"))

    async def _tell(self) -> None:
        while True:
            await self._channel.send(await self._told.get())

    def cell(self, cell_id: str) -> "RemoteConnector":
        """The connector of one runner."""
        return RemoteConnector(self, cell_id)

    async def ask(self, message: Resolve | Connect) -> Answer:
        """The answer. Raises OSError where the dialer is gone."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[message.number] = waiting
        try:
            await self._channel.send(message)
            return await waiting
        except ChannelClosed as error:
            raise OSError("the dialer is gone") from error
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and isinstance(answer := waiting.result(), socket.socket):
                answer.close()
            self.tell(Abandon(number=message.number))
            raise
        finally:
            del self._waiting[message.number]

    def tell(self, message: Abandon | ForgetRunner) -> None:
        """Without an answer, as soon as may be."""
        self._told.put_nowait(message)

    def number(self) -> int:
        """Of the next question."""
        return next(self._numbers)

    def _settle(self, number: int, answer: Answer) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        elif isinstance(answer, socket.socket):
            answer.close()


class RemoteConnector:
    """What one cell asks of the dialer."""

    def __init__(self, client: DialerClient, cell_id: str) -> None:
        self._client = client
        self._cell_id = cell_id

    async def resolve(self, name: str) -> Resolution:
        """Raises OSError."""
        answer = await self._client.ask(Resolve(number=self._client.number(), cell_id=self._cell_id, name=name))
        if not isinstance(answer, Resolved) or answer.error:
            raise OSError(answer.error if isinstance(answer, Resolved) else "no answer to the question")
        return Resolution(tuple(ip_address(address) for address in answer.addresses), answer.local)

    async def connect(self, address: Address, port: int) -> socket.socket:
        """Raises OSError, Refused."""
        question = Connect(number=self._client.number(), cell_id=self._cell_id, address=str(address), port=port)
        answer = await self._client.ask(question)
        if isinstance(answer, socket.socket):
            answer.setblocking(False)
            return answer
        if isinstance(answer, NotConnected) and answer.barred is not None:
            raise EgressRefused(answer.barred)
        raise OSError(answer.error)

    def close(self) -> None:
        """The dialer may forget this runner."""
        self._client.tell(ForgetRunner(cell_id=self._cell_id))
