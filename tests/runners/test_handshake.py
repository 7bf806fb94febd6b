"""From Hello to Ready, with a runner that says what the test wants."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_sandbox.memfd import read_sealed
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.handshake import Handshake
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic

CONTEXT = ContextKey("acme", "p")
BOOT = m.Boot(
    protocol=m.PROTOCOL,
    runner_id="w1.1",
    worker_id="w1",
    tenant_id="acme",
    persistent=True,
    pages=1,
    browser="/usr/bin/browser",
)
READY = m.Ready(browser_version="156", pages=1, evidence={"seccomp": "2"})


class ScriptedConnection:
    """Receives these messages in turn. A Listener comes with a descriptor."""

    def __init__(self, *messages: m.Message) -> None:
        self.sent: list[object] = []
        self.descriptor = -1
        self.failures = -1
        """Our copy of the descriptor that came with Boot."""
        self.restored = b""
        self._messages = list(messages)

    async def receive(self) -> tuple[m.Message, list[int]]:
        message = self._messages.pop(0)
        if isinstance(message, m.Listener):
            self.descriptor, other = os.pipe()
            os.close(other)
            return message, [self.descriptor]
        return message, []

    async def send(self, message: object, descriptors: Sequence[int]) -> None:
        self.sent.append(message)
        if isinstance(message, m.Restore):
            self.restored = read_sealed(descriptors[0], 1000)
        else:
            self.failures = os.dup(descriptors[0])


class FakeResources:
    """A gateway that remembers what was attached, or refuses."""

    def __init__(self, error: Exception | None = None) -> None:
        self.attached: list[tuple[str, str, int, str]] = []
        self.gateway = self
        self._error = error

    def boot_message(self, runner_id: str, context: ContextKey) -> m.Boot:
        assert (runner_id, context) == ("w1.1", CONTEXT)
        return BOOT

    def policy(self, context: ContextKey) -> str:
        return f"policy of {context.tenant_id}"

    async def attach(self, runner_id: str, traffic: RunnerTraffic, listener: int, failures: int, policy: str) -> None:
        os.fstat(listener)
        os.write(failures, b"from the gateway")
        if self._error is not None:
            raise self._error
        self.attached.append((runner_id, traffic.tenant_id, listener, policy))


def handshake(connection: Any, resources: Any, lines: list[str]) -> Handshake:
    return Handshake(
        "w1.1", CONTEXT, resources, connection, RunnerTraffic("acme"), lambda line: lines.append(line.message)
    )


def closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


async def test_a_runner_is_attached_to_the_gateway_before_it_is_ready() -> None:
    line = m.LogLine(attempt_id=None, level="info", message="browser starts")
    connection = ScriptedConnection(m.Hello(protocol=m.PROTOCOL), line, m.Listener(port=1), line, READY)
    resources, lines = FakeResources(), list[str]()
    assert await handshake(connection, resources, lines).run() == READY
    assert connection.sent == [BOOT]
    assert resources.attached == [("w1.1", "acme", connection.descriptor, "policy of acme")]
    assert lines == ["browser starts", "browser starts"]
    assert closed(connection.descriptor)
    assert os.read(connection.failures, 100) == b"from the gateway"
    assert os.read(connection.failures, 100) == b"", "only the gateway holds the write end"
    os.close(connection.failures)


async def test_a_checkpoint_follows_the_boot_message() -> None:
    connection = ScriptedConnection(m.Hello(protocol=m.PROTOCOL), m.Listener(port=1), READY)
    begun = dataclasses.replace(
        handshake(connection, FakeResources(), []), checkpoint=ProfileCheckpoint(b"cookies", 12.0)
    )
    assert await begun.run() == READY
    assert connection.sent == [replace(BOOT, restores=True), m.Restore(taken_at=12.0)]
    assert connection.restored == b"cookies"
    os.close(connection.failures)


async def test_a_runner_of_another_protocol_gets_no_boot_message() -> None:
    connection = ScriptedConnection(m.Hello(protocol=m.PROTOCOL + 1))
    with pytest.raises(SpawnFailed, match=f"protocol {m.PROTOCOL + 1}, this supervisor {m.PROTOCOL}"):
        await handshake(connection, FakeResources(), []).run()
    assert connection.sent == []


async def test_the_listener_is_closed_when_the_gateway_refuses_it() -> None:
    connection = ScriptedConnection(m.Hello(protocol=m.PROTOCOL), m.Listener(port=1))
    with pytest.raises(ConnectionError):
        await handshake(connection, FakeResources(ConnectionError("full")), []).run()
    assert closed(connection.descriptor)
    os.close(connection.failures)
