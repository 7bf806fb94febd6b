"""One attempt's sink: limits and names are checked before anything is offered, and bytes leave only when granted."""

import asyncio
import os
from typing import Any

import pytest

from pageworker_runner.errors import OutputLimit
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.artifact_sink import AttemptSink
from pageworker_runner.reporting.reporter import CapturedOutput
from pageworker_sandbox.memfd import read_sealed
from pageworker_sandbox.wire import messages as m


class GrantingQueue:
    """A send queue whose supervisor grants every offer, or none."""

    def __init__(self) -> None:
        self.offers: list[m.Offer] = []
        self.data: list[bytes] = []
        self.grants = True
        self.sink: AttemptSink

    def put(self, message: m.Message, descriptors: Any = ()) -> None:
        if isinstance(message, m.Offer):
            self.offers.append(message)
            if self.grants:
                self.sink.granted(message.number)
        for descriptor in descriptors:
            self.data.append(read_sealed(descriptor, m.MAX_ARTIFACT_BYTES))
            os.close(descriptor)

    async def until_sent(self) -> None:
        return


@pytest.fixture
def queue() -> GrantingQueue:
    untyped: Any = (queue := GrantingQueue())
    queue.sink = AttemptSink("a-1", untyped, CapturedOutput(lambda line: None))
    return queue


async def test_bytes_are_offered_and_handed_over(queue: GrantingQueue) -> None:
    await queue.sink.artifact("invoice", b"x" * 1000, "application/pdf")
    assert [(offer.attempt_id, offer.number, offer.bytes) for offer in queue.offers] == [("a-1", 1, 1000)]
    assert queue.data == [b"x" * 1000]


async def test_bytes_stay_until_their_own_offer_is_granted(queue: GrantingQueue) -> None:
    queue.grants = False
    async with asyncio.TaskGroup() as tasks:
        storing = tasks.create_task(queue.sink.artifact("invoice", b"x", "text/plain"))
        await asyncio.sleep(0)
        queue.sink.granted(7)
        await asyncio.sleep(0)
        assert queue.data == []
        queue.sink.granted(1)
        await storing
    assert queue.data == [b"x"]


@pytest.mark.parametrize("kind", ["", "Invoice", "BAD KIND", "invoice\n", "1st", "x" * 64])
async def test_an_invalid_kind_is_refused_with_an_example(queue: GrantingQueue, kind: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid kind of artifact: .* such as `invoice`"):
        await queue.sink.artifact(kind, b"x", "text/plain")
    assert queue.offers == []


@pytest.mark.parametrize("content_type", ["", "text", "text/plain\n", "Text/plain"])
async def test_an_invalid_content_type_is_refused_with_an_example(queue: GrantingQueue, content_type: str) -> None:
    with pytest.raises(ValueError, match="is not a valid content type: use one such as"):
        await queue.sink.artifact("invoice", b"x", content_type)


async def test_each_limit_names_both_amounts(queue: GrantingQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputLimit, match="An artifact may have at most 33554432 bytes") as caught:
        await queue.sink.artifact("a", bytes(m.MAX_ARTIFACT_BYTES + 1), "text/plain")
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (2**25 + 1, 2**25, "bytes")
    for _ in range(3):
        await queue.sink.artifact("a", bytes(m.MAX_ARTIFACT_BYTES), "text/plain")
    with pytest.raises(OutputLimit, match="All artifacts of an attempt together") as caught:
        await queue.sink.artifact("a", b"x", "text/plain")
    assert (caught.value.used, caught.value.allowed) == (LIMITS.artifacts_bytes + 1, LIMITS.artifacts_bytes)


async def test_the_number_of_artifacts_is_limited(queue: GrantingQueue) -> None:
    for _ in range(LIMITS.artifacts):
        await queue.sink.artifact("a", b"", "text/plain")
    with pytest.raises(OutputLimit, match="at most 64 artifacts") as caught:
        await queue.sink.artifact("a", b"", "text/plain")
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (65, 64, "artifacts")


async def test_a_closed_sink_stores_nothing_and_ends_what_waits(queue: GrantingQueue) -> None:
    queue.grants = False
    loop = asyncio.get_running_loop()
    waiting = loop.create_task(queue.sink.artifact("a", b"x", "text/plain"))
    await asyncio.sleep(0)
    queue.sink.close()
    with pytest.raises(ValueError, match="ended before its artifact was accepted"):
        await waiting
    with pytest.raises(ValueError, match="The attempt has ended"):
        await queue.sink.artifact("a", b"x", "text/plain")
    assert queue.data == []
