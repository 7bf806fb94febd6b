"""The checker that all tenants share: it survives hostile checks and cancelled callers."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from pw_schemas import DOUBLES

from pageworker_supervisor.input_schema import shared_checker as module
from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.errors import CheckerEnded
from pageworker_supervisor.input_schema.messages import SchemaAnswer
from pageworker_supervisor.input_schema.shared_checker import SharedChecker

SCHEMA = b'{"type":"object","required":["url"]}'
GOOD = b'{"url":1}'


@pytest.fixture
async def checker() -> AsyncIterator[SharedChecker]:
    shared = SharedChecker(CheckLimits(seconds=0.2))
    yield shared
    await shared.close()


async def ask(checker: SharedChecker, payload: bytes = GOOD) -> SchemaAnswer:
    answer = await checker.check("a" * 64, lambda: SCHEMA, payload)
    return msgspec.structs.replace(answer, seconds=0.0)


async def attack(checker: SharedChecker) -> SchemaAnswer:
    schema, payload = map(msgspec.json.encode, DOUBLES)
    return await checker.check("evil", lambda: schema, payload)


async def test_a_schema_is_sent_once(checker: SharedChecker) -> None:
    sent = []

    def schema() -> bytes:
        sent.append(1)
        return SCHEMA

    answers = [await checker.check("a", schema, payload) for payload in (GOOD, b"{}", GOOD)]
    assert [len(answer.mistakes) for answer in answers] == [0, 1, 0]
    assert len(sent) == 1


async def test_checks_at_the_same_time_get_their_own_answers(checker: SharedChecker) -> None:
    payloads = [GOOD if number % 3 else b"{}" for number in range(60)]
    answers = await asyncio.gather(*(ask(checker, payload) for payload in payloads))
    assert [bool(answer.mistakes) for answer in answers] == [payload == b"{}" for payload in payloads]


async def test_a_large_payload_goes_through(checker: SharedChecker) -> None:
    assert await ask(checker, b'{"url":"' + b"x" * 250_000 + b'"}') == SchemaAnswer()


async def test_a_check_that_needs_too_much_is_told_and_the_others_are_answered(checker: SharedChecker) -> None:
    await ask(checker)
    results = await asyncio.gather(
        ask(checker), attack(checker), *(ask(checker) for _ in range(5)), return_exceptions=True
    )
    ended = results.pop(1)
    assert isinstance(ended, CheckerEnded)
    assert ended.status == -signal.SIGPROF
    assert results == [SchemaAnswer()] * 6


async def test_a_cancelled_caller_does_not_shift_the_answers(checker: SharedChecker) -> None:
    await ask(checker)
    async with asyncio.TaskGroup() as tasks:
        cancelled = tasks.create_task(ask(checker, b"{}"))
        await asyncio.sleep(0)
        after = tasks.create_task(ask(checker))
        await asyncio.sleep(0)
        cancelled.cancel()
    assert cancelled.cancelled()
    assert after.result() == SchemaAnswer()


def running_checkers() -> list[int]:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(child) for child in children if "schema_checker" in Path(f"/proc/{child}/cmdline").read_text()]


def kill_checkers() -> None:
    for checker in running_checkers():
        os.kill(checker, signal.SIGKILL)


async def test_it_has_no_environment_and_one_connection(
    checker: SharedChecker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://me:secret@h")
    with (tmp_path / "key").open("w") as key, socket.socket() as other:
        for descriptor in (key.fileno(), other.fileno()):
            os.set_inheritable(descriptor, True)
        await ask(checker)
    (pid,) = running_checkers()
    # What the interpreter sets by itself (PEP 538) is not ours.
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert [word for word in environment if word and not word.startswith(b"LC_CTYPE=")] == []
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    opened = {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    assert opened.pop("0").startswith("socket:")
    assert opened.pop("1").startswith("socket:"), "the same one"
    assert opened == {"2": "/dev/null"}


async def test_one_that_was_killed_between_two_checks_is_started_again(checker: SharedChecker) -> None:
    await ask(checker)
    kill_checkers()
    # The first check may have been sent before the end was noticed.
    with contextlib.suppress(CheckerEnded):
        await ask(checker)
    assert await ask(checker) == SchemaAnswer()


async def test_after_its_end_nothing_is_started(checker: SharedChecker) -> None:
    await ask(checker)
    await checker.close()
    with pytest.raises(OSError, match="the worker stops"):
        await ask(checker)


async def test_one_that_cannot_start_is_an_error_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "command", lambda _: (sys.executable, "-c", "raise SystemExit"))
    checker = SharedChecker(CheckLimits(seconds=1))
    with pytest.raises(OSError, match="did not start"):
        await ask(checker)
    await checker.close()
