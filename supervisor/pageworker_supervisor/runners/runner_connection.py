"""The messages between the supervisor and one runner's process, and the modules that were sent with them."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, NoReturn

from pageworker_sandbox import memfd
from pageworker_sandbox.launch import SandboxedProcess
from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed
from pageworker_sandbox.wire.message_rules import MessageRules
from pageworker_sandbox.wire.token_bucket import CpuBudget
from pageworker_supervisor.files.fetched_file import FetchedFile
from pageworker_supervisor.runners.handed_files import input_file

RUNNERS_SHARE = 0.5
"""Share of event-loop time for messages of all runners together. A runner over its share is read more slowly."""
SHARE_BURST_SECONDS = 0.5
SHARE_PAUSE_SECONDS = 0.005

MAX_VERSIONS = 32
"""Versions per runner. A tenant that uses more modules in one browser context pays with imports."""
MAX_VERSIONS_PER_MODULE = 4
"""Of one module: that of the channel, that of a rollout, and two that jobs or pins name. Without this bound, a module
that is published often leaves 31 versions that no job gets any more."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of bundles per runner. The latest version always stays, however large it is."""

Version = tuple[str, str]
"""Name and version of a module."""


class RunnerConnection:
    """One runner's channel. Every received message is checked against the message rules.

    `send` and `load` raise ChannelClosed if the process is gone. The messages about one attempt do not: the attempt
    learns of the end by itself.
    """

    def __init__(self, process: SandboxedProcess, runners: int, *, spare: bool = False) -> None:
        """`runners`: how many share the event-loop time for messages. `spare`: it has no tenant before `assign`."""
        self._budget = CpuBudget(RUNNERS_SHARE / runners, SHARE_BURST_SECONDS, SHARE_PAUSE_SECONDS)
        self._channel = Channel(process.channel, m.TO_RUNNER, m.TO_SUPERVISOR, self._budget)
        self._rules = MessageRules(spare=spare)
        self._loading = asyncio.Lock()
        self._modules = LoadedModules()

    def close(self) -> None:
        """Close the supervisor's end."""
        self._channel.close()

    async def send(self, message: m.Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message with copies of these descriptors."""
        await self._channel.send(message, list(descriptors))

    async def receive(self) -> tuple[m.Message, list[int]]:
        """The next message. Its descriptors are the caller's to close. Raises ProtocolViolation, ChannelClosed."""
        message, descriptors = await self._channel.receive()
        try:
            self._rules.receive(message)
        except BaseException:
            _close(descriptors)
            raise
        return message, descriptors

    async def serve(self, handle: Callable[[m.Message, list[int]], None]) -> NoReturn:
        """Pass on every message. `handle` removes the descriptors that it keeps from the list; the others are
        closed."""
        while True:
            message, descriptors = await self._channel.receive()
            since = time.perf_counter()
            try:
                self._rules.receive(message)
                handle(message, descriptors)
            finally:
                _close(descriptors)
            self._budget.spend(since)

    async def assign(self, tenant_id: str) -> None:
        """Give a spare runner to a tenant, for the rest of its life. Raises ProtocolViolation if it has one."""
        self._rules.assigned()
        await self._channel.send(m.Assign(tenant_id=tenant_id))

    async def load(self, bundle: VerifiedBundle) -> None:
        """Send a module version unless the runner has it."""
        async with self._loading:
            await self._load(bundle)

    async def run(self, message: m.Run, bundle: VerifiedBundle, files: Sequence[FetchedFile] = ()) -> None:
        """Send an attempt, before it its files, and its module if the runner does not have it."""
        self._rules.sent(message.attempt_id, spans=message.spans)
        # One step: between the module and its Run, no other load may have the runner unload that module.
        with suppress(ChannelClosed):
            async with self._loading:
                await self._load(bundle)
                for file in files:
                    await self._channel.send(input_file(message.attempt_id, file), [file.descriptor])
                await self._channel.send(message)

    async def cancel(self, attempt_id: str, outcome: Literal["timed_out", "cancelled"]) -> None:
        """Ask an attempt's handler to stop."""
        with suppress(ChannelClosed):
            await self._channel.send(m.Cancel(attempt_id=attempt_id, outcome=outcome))

    async def grant(self, offer: m.Offer) -> None:
        """Let an attempt hand over the artifact that it offers."""
        self._rules.granted(offer.attempt_id)
        with suppress(ChannelClosed):
            await self._channel.send(m.Grant(attempt_id=offer.attempt_id, number=offer.number))

    async def answer(self, answer: m.SecretAnswer | m.OnceAnswer) -> None:
        """Answer a SecretRequest or a OnceRequest."""
        with suppress(ChannelClosed):
            await self._channel.send(answer)

    async def take_checkpoint(self, number: int) -> None:
        """Ask for the cookies and the storage of the profile. An earlier request must have its answer."""
        self._rules.checkpoint_asked(number)
        await self._channel.send(m.TakeCheckpoint(number=number))

    async def answer_permit(self, answer: m.PermitAnswer) -> None:
        """Answer a PermitRequest."""
        self._rules.permit_answered()
        with suppress(ChannelClosed):
            await self._channel.send(answer)

    async def _load(self, bundle: VerifiedBundle) -> None:
        self._rules.check_assigned()
        if self._modules.use(bundle.name, bundle.version):
            return
        descriptor = memfd.seal(bundle.data, bundle.name)
        try:
            message = m.Module(
                name=bundle.name,
                version=bundle.version,
                sha256=bundle.sha256,
                entrypoint=bundle.manifest.entrypoint,
            )
            await self._channel.send(message, [descriptor])
        finally:
            os.close(descriptor)
        for name, version in self._modules.add(bundle.name, bundle.version, len(bundle.data)):
            await self._channel.send(m.Forget(name=name, version=version))


class LoadedModules:
    """Which module versions a runner has, the least recently used first, and which of them it is to unload.

    A runner that runs many versions would grow without end. So it keeps a bounded number of them, the latest used.
    """

    def __init__(self, max_versions: int = MAX_VERSIONS, max_bytes: int = MAX_BYTES) -> None:
        self._max_versions = max_versions
        self._max_bytes = max_bytes
        self._bytes: OrderedDict[Version, int] = OrderedDict()

    def use(self, name: str, version: str) -> bool:
        """Note that an attempt uses a version. False: the runner does not have it."""
        if (name, version) not in self._bytes:
            return False
        self._bytes.move_to_end((name, version))
        return True

    def add(self, name: str, version: str, bundle_bytes: int) -> list[Version]:
        """Note that the runner was sent a version. Returns the versions that it is to unload."""
        self._bytes[name, version] = bundle_bytes
        same = [other for other in self._bytes if other[0] == name]
        unloaded = same[:-MAX_VERSIONS_PER_MODULE]
        for other in unloaded:
            del self._bytes[other]
        while len(self._bytes) > 1 and not self._fits():
            unloaded.append(self._bytes.popitem(last=False)[0])
        return unloaded

    def _fits(self) -> bool:
        return len(self._bytes) <= self._max_versions and sum(self._bytes.values()) <= self._max_bytes


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
