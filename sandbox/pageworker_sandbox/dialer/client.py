"""The gateway's end of the channel to the dialer."""

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
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed

Answer = Resolved | NotConnected | socket.socket
LOST = "the dialer has ended"


class DialerClient:
    """One dialer, for all runners. `run` must run while the other methods are used."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock, outgoing=FROM_GATEWAY, incoming=TO_GATEWAY)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._unsent: asyncio.Queue[Abandon | ForgetRunner] = asyncio.Queue()

    async def run(self) -> None:
        """Deliver answers. Raises ChannelClosed (in a group) when the dialer ends: the gateway must end too."""
        try:
            async with TaskGroup() as tasks:
                tasks.create_task(self._send_queued())
                while True:
                    message, descriptors = await self._channel.receive()
                    match message:
                        case Connected(number=number):
                            self._deliver(number, socket.socket(fileno=descriptors[0]))
                        case Resolved(number=number) | NotConnected(number=number):
                            self._deliver(number, message)
        finally:
            self._channel.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(OSError(LOST))

    async def _send_queued(self) -> None:
        while True:
            await self._channel.send(await self._unsent.get())

    def connector(self, runner_id: str) -> "RemoteConnector":
        """The connector of one runner."""
        return RemoteConnector(self, runner_id)

    async def request(self, message: Resolve | Connect) -> Answer:
        """Send a request and wait for its answer. Raises OSError if the dialer has ended."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[message.number] = waiting
        try:
            await self._channel.send(message)
            return await waiting
        except ChannelClosed as error:
            raise OSError(LOST) from error
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and isinstance(answer := waiting.result(), socket.socket):
                answer.close()
            self.post(Abandon(number=message.number))
            raise
        finally:
            del self._waiting[message.number]

    def post(self, message: Abandon | ForgetRunner) -> None:
        """Queue a message that has no answer."""
        self._unsent.put_nowait(message)

    def next_number(self) -> int:
        """The number for the next request."""
        return next(self._numbers)

    def _deliver(self, number: int, answer: Answer) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        elif isinstance(answer, socket.socket):
            answer.close()


class RemoteConnector:
    """Resolves and connects for one runner, by requests to the dialer. A `Connector`."""

    def __init__(self, client: DialerClient, runner_id: str) -> None:
        self._client = client
        self._runner_id = runner_id

    async def resolve(self, name: str) -> Resolution:
        """All addresses of a name. Raises OSError."""
        request = Resolve(number=self._client.next_number(), runner_id=self._runner_id, name=name)
        answer = await self._client.request(request)
        if not isinstance(answer, Resolved) or answer.error:
            raise OSError(answer.error if isinstance(answer, Resolved) else "the dialer answered something else")
        return Resolution(tuple(ip_address(address) for address in answer.addresses), answer.local)

    async def connect(self, address: Address, port: int) -> socket.socket:
        """A connected, non-blocking socket. Raises OSError; EgressRefused if the dialer's rules forbid it."""
        number = self._client.next_number()
        request = Connect(number=number, runner_id=self._runner_id, address=str(address), port=port)
        answer = await self._client.request(request)
        if isinstance(answer, socket.socket):
            answer.setblocking(False)
            return answer
        if isinstance(answer, NotConnected) and answer.refused is not None:
            raise EgressRefused(answer.refused)
        raise OSError(answer.errno, answer.error) if isinstance(answer, NotConnected) else OSError(answer.error)

    def close(self) -> None:
        """Tell the dialer to forget this runner."""
        self._client.post(ForgetRunner(runner_id=self._runner_id))
