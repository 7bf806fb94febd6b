"""The gateway's side of the channel: obeys the supervisor, keeps the table of cells."""

import asyncio
import os
from collections.abc import Sequence

from pageworker_sandbox.dialer.client import DialerClient
from pageworker_sandbox.egress.acceptor import adopt
from pageworker_sandbox.egress.errors import InvalidListener, InvalidPolicy
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import (
    AskUsage,
    Attach,
    Detach,
    EgressPolicy,
    GatewayAnswer,
    ProxyLost,
    Reason,
    Update,
    Usage,
)
from pageworker_sandbox.egress.refusal_log import RefusalLog
from pageworker_sandbox.egress.runner_proxy import RunnerProxy
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed
from pageworker_sandbox.wire.messages import Message


class Server:
    """`run` returns when the supervisor closes the channel, and everything ends with it."""

    def __init__(self, channel: Channel, limits: EgressLimits, dialer: DialerClient) -> None:
        self._channel = channel
        self._limits = limits
        self._dialer = dialer
        self._cells: dict[str, tuple[RunnerProxy, asyncio.Task[None]]] = {}
        self._refusals: dict[str, RefusalLog] = {}
        self._refused = asyncio.Event()

    async def run(self) -> None:
        """Obey. Raises ProtocolViolation when the supervisor breaks the vocabulary."""
        async with asyncio.TaskGroup() as group:
            notices = group.create_task(self._tell_refusals())
            try:
                while True:
                    message, descriptors = await self._channel.receive()
                    await self._channel.send(await self._obey(group, message, descriptors))
            except ChannelClosed:
                notices.cancel()
                for _, task in self._cells.values():
                    task.cancel()

    async def _obey(self, group: asyncio.TaskGroup, message: Message, descriptors: Sequence[int]) -> GatewayAnswer:
        match message:
            case Attach(number=number, cell_id=cell_id, policy=policy):
                return await self._attach(group, number, cell_id, policy, descriptors[0])
            case Update(number=number, cell_id=cell_id, policy=policy):
                return self._update(number, cell_id, policy)
            case Detach(number=number, cell_id=cell_id):
                return await self._detach(number, cell_id)
            case AskUsage(number=number):
                cells = {cell_id: cell.usage() for cell_id, (cell, _) in self._cells.items()}
                return GatewayAnswer(number=number, cells=cells)
            case _:
                raise TypeError(f"{type(message).__name__} is in the vocabulary and not obeyed")

    async def _attach(
        self, group: asyncio.TaskGroup, number: int, cell_id: str, policy: EgressPolicy, descriptor: int
    ) -> GatewayAnswer:
        if cell_id in self._cells or len(self._cells) >= self._limits.cells:
            os.close(descriptor)
            return GatewayAnswer(number=number, error="known_cell" if cell_id in self._cells else "too_many_cells")
        try:
            listener = adopt(descriptor)
        except InvalidListener as error:
            return GatewayAnswer(number=number, error="invalid_listener", detail=str(error))
        refusals = RefusalLog(cell_id, self._limits, asyncio.get_running_loop().time())

        def on_refusal(reason: Reason, target: Target) -> None:
            if refusals.add(reason, target, asyncio.get_running_loop().time()):
                self._refused.set()

        try:
            cell = RunnerProxy(listener, policy, self._limits, self._dialer.cell(cell_id), on_refusal)
        except InvalidPolicy as error:
            listener.close()
            return GatewayAnswer(number=number, error="invalid_policy", detail=str(error))
        self._refusals[cell_id] = refusals
        self._cells[cell_id] = (cell, group.create_task(self._host(cell_id, cell)))
        await cell.started.wait()
        return GatewayAnswer(number=number)

    def _update(self, number: int, cell_id: str, policy: EgressPolicy) -> GatewayAnswer:
        if cell_id not in self._cells:
            return GatewayAnswer(number=number, error="unknown_cell")
        try:
            self._cells[cell_id][0].update(policy)
        except InvalidPolicy as error:
            return GatewayAnswer(number=number, error="invalid_policy", detail=str(error))
        return GatewayAnswer(number=number)

    async def _detach(self, number: int, cell_id: str) -> GatewayAnswer:
        if cell_id not in self._cells:
            return GatewayAnswer(number=number, error="unknown_cell")
        cell, task = self._cells[cell_id]
        task.cancel()
        await asyncio.wait((task,))
        usage: dict[str, Usage] = {cell_id: cell.usage()}
        return GatewayAnswer(number=number, cells=usage)

    async def _host(self, cell_id: str, cell: RunnerProxy) -> None:
        """Run a cell. What breaks it, be it a bug of ours that one runner found, must not end the others:
        it is told to the supervisor, who kills that runner."""
        try:
            await cell.run()
        except* Exception as group:  # noqa: BLE001 - one cell's bug must not end the others; it is reported
            error = _first(group)
            text = f"{type(error).__name__}: {error}"[:500]
            await self._channel.send(ProxyLost(cell_id=cell_id, error=text))
        finally:
            del self._cells[cell_id]
            del self._refusals[cell_id]

    async def _tell_refusals(self) -> None:
        while await self._refused.wait():
            self._refused.clear()
            for refusals in list(self._refusals.values()):
                for notice in refusals.drain():
                    await self._channel.send(notice)


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
