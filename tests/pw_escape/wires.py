"""The supervisor's end of a runner's channel, without some named rules, and a runner that breaks them."""

import asyncio
import fcntl
import os
import socket
import tempfile
from contextlib import ExitStack, suppress
from typing import Any
from unittest.mock import patch

import msgspec

from pageworker_sandbox import memfd
from pageworker_sandbox.wire import channel as channels
from pageworker_sandbox.wire import framing
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed, ProtocolViolation, WireError
from pageworker_sandbox.wire.message_rules import MessageRules, SentAttemptState
from pw_escape import mechanisms as rules

KINDS = {spec.message: kind for kind, spec in {**m.TO_RUNNER, **m.TO_SUPERVISOR}.items()}
TAKE_SECONDS = 10.0


class WireSupervisor:
    """Receives what a runner sends until it disconnects."""

    def __init__(self, sock: socket.socket, words: dict[int, m.MessageSpec]) -> None:
        self.channel = Channel(sock, outgoing=m.TO_RUNNER, incoming=words)
        self.rules = MessageRules()
        self.taken: list[m.Message] = []

    async def take(self) -> None:
        """Raises WireError, NotSealed."""
        with suppress(ChannelClosed):
            while True:
                message, descriptors = await self.channel.receive()
                try:
                    self.rules.receive(message)
                    if isinstance(message, m.ArtifactData):
                        for descriptor in descriptors:
                            memfd.read_sealed(descriptor, m.MAX_ARTIFACT_BYTES)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
                self.taken.append(message)


class WireRunner:
    """The runner's end, for an attacker. Attacks use its methods by name."""

    def __init__(self, sock: socket.socket, rules: MessageRules) -> None:
        self.sock = sock
        self.rules = rules

    def raw(self, data: bytes, *descriptors: int) -> None:
        """Send these bytes."""
        if descriptors:
            socket.send_fds(self.sock, [data], list(descriptors))
        else:
            self.sock.sendall(data)

    def say(
        self, word: type[m.Message] | int, /, *descriptors: int, announced: int | None = None, **fields: Any
    ) -> None:
        """Send a frame of a kind with any fields."""
        number = word if isinstance(word, int) else KINDS[word]
        body = msgspec.msgpack.encode(fields)
        count = len(descriptors) if announced is None else announced
        self.raw(framing.HEADER.pack(number, count, len(body)) + body, *descriptors)

    def up(self) -> None:
        """Send the messages of a runner that starts."""
        self.say(m.Hello, protocol=m.PROTOCOL)
        with socket.socket() as sock:
            self.say(m.Listener, sock.fileno(), port=1)
        self.say(m.Ready, browser_version="x", pages=1, evidence={})

    def running(self) -> None:
        """The runner is ready and runs attempt `a`."""
        self.rules.sent("a")
        self.up()
        self.say(m.Accepted, attempt_id="a", page=0)

    def granted(self) -> None:
        """The same, and its artifact is granted."""
        self.rules.sent("a")
        self.rules.attempts["a"] = SentAttemptState.GRANTED
        self.up()


async def attack(code: str, without: frozenset[str]) -> dict[str, str]:
    """Run an attack. It succeeds if the supervisor accepts everything that was sent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with ExitStack() as stack:
        supervisor = WireSupervisor(ours, _weakened(without, stack))
        stack.callback(supervisor.channel.close)
        stack.callback(theirs.close)
        runner = WireRunner(theirs, supervisor.rules)
        names = {"m": m, "os": os, "fcntl": fcntl, "socket": socket, "tempfile": tempfile, "memfd": memfd}
        words = {name: getattr(runner, name) for name in ("raw", "say", "up", "running", "granted")}
        loop = asyncio.get_running_loop()
        taking = loop.create_task(supervisor.take())
        # The supervisor may stop reading. Then the runner must not wait for ever.
        taking.add_done_callback(lambda _: supervisor.channel.close())
        acting = loop.run_in_executor(None, _perform, code, {**names, **words, "frame": framing.HEADER.pack}, theirs)
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                await taking
        except (WireError, memfd.NotSealed, TimeoutError, TypeError, ValueError) as error:
            return {"kind": type(error).__name__, "text": str(error)}
        finally:
            if failed := await acting:
                return {"kind": "unprepared", "text": failed}  # noqa: B012 - nothing else counts then
    return {"kind": "", "text": repr(supervisor.taken)[:200]}


def _perform(code: str, names: dict[str, Any], theirs: socket.socket) -> str:
    """Run the attack's code. Returns what is wrong with that code; empty: nothing."""
    try:
        exec(code, names)
    except (BrokenPipeError, ConnectionResetError):
        return ""  # the supervisor has closed the channel
    except Exception as error:  # noqa: BLE001 - reported: the attack itself is wrong
        return f"{type(error).__name__}: {error}"
    finally:
        with suppress(OSError):
            theirs.shutdown(socket.SHUT_WR)
    return ""


def _weakened(without: frozenset[str], stack: ExitStack) -> dict[int, m.MessageSpec]:
    words = dict(m.TO_SUPERVISOR)

    def change(owner: Any, name: str, value: object) -> None:
        stack.enter_context(patch.object(owner, name, value))

    if rules.WIRE_VOCABULARY in without:
        words |= m.TO_RUNNER | {200: m.MessageSpec(m.Stop, 1024)}
    if rules.WIRE_SIZES in without:
        words = {kind: msgspec.structs.replace(word, max_bytes=1 << 30) for kind, word in words.items()}
    if rules.WIRE_TYPES in without:
        change(framing.Parser, "_decode", _decode_anything)
    if rules.WIRE_DESCRIPTORS in without:
        change(framing.Parser, "feed", _feed_any)
        words = {kind: msgspec.structs.replace(word, descriptors=0) for kind, word in words.items()}
        change(channels, "MAX_DESCRIPTORS", 250)
    if rules.WIRE_MESSAGE_RULES in without:
        change(MessageRules, "receive", lambda self, message: None)
    if rules.WIRE_SEALS in without:
        change(memfd, "read_sealed", lambda descriptor, most: b"")
    return words


def _decode_anything(self: framing.Parser, kind: int, body: bytes) -> m.Message:
    """Decode a message without checking its fields."""
    made = self._specs[kind].message
    try:
        untrusted = msgspec.msgpack.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        untrusted = {}
    fields = untrusted if isinstance(untrusted, dict) else {}
    return made(**{name: fields.get(name) for name in made.__struct_fields__})


def _feed_any(self: framing.Parser, data: bytes) -> list[m.Message]:
    """Messages of frames with any number of descriptors, which are not handed out."""
    self._untrusted += data
    messages = []
    while len(self._untrusted) >= framing.HEADER.size:
        kind, _, length = framing.HEADER.unpack_from(self._untrusted)
        end = framing.HEADER.size + length
        if kind not in self._specs:
            raise ProtocolViolation(f"unknown kind {kind}")
        if len(self._untrusted) < end:
            break
        messages.append(self._decode(kind, bytes(self._untrusted[framing.HEADER.size : end])))
        del self._untrusted[:end]
    return messages
