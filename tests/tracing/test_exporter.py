"""The exporter and its collector: a real receiver, with every bad habit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs
from pw_otlp import spans
from pw_receiver import Receiver, receiver

from pageworker_supervisor.telemetry import log
from pageworker_supervisor.tracing import exporter as file
from pageworker_supervisor.tracing.errors import HeadersMissing
from pageworker_supervisor.tracing.exporter import BATCH, MAX_WAITING, SpanExporter, shown_url, traces_url
from pageworker_supervisor.tracing.otlp import SpanEncoder
from pageworker_supervisor.tracing.span import Span

ENCODER = SpanEncoder({"service.instance.id": "w1"})


def span(number: int) -> Span:
    return Span(
        name=f"s{number}", trace_id="1" * 32, span_id=f"{number + 1:016x}", parent_id=None, start_ns=1, end_ns=2
    )


class Collected:
    """An exporter at work, and what it reports."""

    def __init__(self, endpoint: str, timeout_seconds: float = 10.0) -> None:
        self.dropped = 0
        self.headers: dict[str, str] | None = {"x-token": "abc"}
        self.refused = asyncio.Event()
        self.exporter = SpanExporter(endpoint, self.give_headers, timeout_seconds, ENCODER, self.count)

    async def give_headers(self) -> dict[str, str]:
        if self.headers is None:
            self.refused.set()
            raise HeadersMissing("the secret is away")
        return self.headers

    def count(self, dropped: int) -> None:
        self.dropped += dropped

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.exporter.put(span(number))


@asynccontextmanager
async def running(endpoint: str, timeout_seconds: float = 10.0) -> AsyncIterator[Collected]:
    made = Collected(endpoint, timeout_seconds)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.exporter.run())
        try:
            yield made
        finally:
            task.cancel()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> object:
    """Short pauses; and what is logged."""
    monkeypatch.setattr(file, "GATHER_SECONDS", 0.02)
    monkeypatch.setattr(file, "FIRST_BACKOFF_SECONDS", 0.01)
    sink = log.add(lambda message: lines.append(message.record["message"]), level="INFO")
    yield
    log.remove(sink)


async def arrived(collector: Receiver, count: int) -> list[str]:
    async with asyncio.timeout(10), collector.arrived:
        await collector.arrived.wait_for(lambda: len(spans(collector)) >= count)
    return [each.name for each in spans(collector)]


async def test_spans_arrive_in_order_in_batches_with_headers() -> None:
    async with receiver() as collector, running(collector.url("")) as made:
        made.put(*range(2 * BATCH + 1))
        assert await arrived(collector, 2 * BATCH + 1) == [f"s{n}" for n in range(2 * BATCH + 1)]
    assert len(collector.received) == 3
    headers = collector.received[0].headers
    assert (headers["content-type"], headers["x-token"]) == ("application/x-protobuf", "abc")
    assert made.dropped == 0


async def test_a_batch_is_repeated_until_the_collector_takes_it(lines: list[str]) -> None:
    async with receiver() as collector, running(collector.url("/then/503?times=2&of=/v1/traces")) as made:
        made.put(1)
        async with asyncio.timeout(10):
            await collector.until(3)
        await made.exporter.stop()
    assert (made.dropped, lines) == (0, ["spans are not delivered", "spans are delivered again"])


async def test_a_batch_that_is_refused_is_dropped_and_counted(lines: list[str]) -> None:
    async with receiver() as collector, running(collector.url("/status/400?of=/v1/traces")) as made:
        made.put(1, 2)
        await made.exporter.stop()
    assert (made.dropped, len(collector.received)) == (2, 1)
    assert lines == ["spans are not delivered"]


async def test_the_oldest_are_dropped_while_the_collector_is_away() -> None:
    made = Collected("http://127.0.0.1:1")
    made.put(*range(MAX_WAITING + 3))
    assert made.dropped == 3
    assert made.exporter._queue[0].name == "s3"


async def test_what_cannot_be_encoded_or_sent_does_not_end_the_worker() -> None:
    logged: asyncio.Queue[str] = asyncio.Queue()
    sink = log.add(lambda message: logged.put_nowait(message.record["message"]), level="WARNING")
    async with asyncio.timeout(30), receiver() as collector, running(collector.url("")) as made:
        made.exporter.put(structs.replace(span(1), name="\ud800"))
        assert await logged.get() == "spans are dropped, they cannot be encoded"
        made.headers = {"x-token": "\u00fc"}
        made.put(2)
        assert await logged.get() == "spans are not delivered"
        made.headers = {}
        assert await arrived(collector, 1) == ["s2"]
    log.remove(sink)
    assert made.dropped == 1


async def test_missing_headers_are_tried_again() -> None:
    async with receiver() as collector, running(collector.url("")) as made:
        made.headers = None
        made.put(1)
        async with asyncio.timeout(10):
            await made.refused.wait()
        made.headers = {}
        assert await arrived(collector, 1) == ["s1"]


async def test_the_end_waits_for_a_silent_collector_for_two_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    monkeypatch.setattr(file, "FLUSH_SECONDS", 0.1)
    async with receiver() as collector, running(collector.url("/silent?of=/v1/traces"), 60.0) as made:
        made.put(1, 2, 3)
        async with asyncio.timeout(5):
            await made.exporter.stop()
    assert made.dropped == 3
    assert lines == ["spans were not sent before the end"]


async def test_a_silent_collector_is_reported_before_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    assert file.SLOW_SECONDS < 2
    monkeypatch.setattr(file, "SLOW_SECONDS", 0.05)
    async with receiver() as collector, running(collector.url("/silent?of=/v1/traces"), 60.0) as made:
        logged = asyncio.Event()
        sink = log.add(lambda _: logged.set(), level="WARNING")
        made.put(1)
        async with asyncio.timeout(10):
            await logged.wait()
        log.remove(sink)
    assert lines == ["spans are not delivered"]


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp", "https://c/otlp/v1/traces"),
        ("https://c/v1/traces", "https://c/v1/traces"),
    ],
)
def test_the_path_is_added_to_the_endpoint(endpoint: str, url: str) -> None:
    assert traces_url(endpoint) == url


def test_a_log_line_shows_no_login() -> None:
    assert shown_url("https://user:word@c:4318/path?key=1") == "https://c:4318"


@pytest.mark.parametrize("value", ["Bearer hush\n", "Bearer h\u00fcsh"])
async def test_a_header_that_cannot_be_sent_is_not_logged_and_ends_nothing(value: str) -> None:
    logged = asyncio.Event()
    reasons: list[str] = []
    keep = log.add(lambda message: reasons.append(message.record["extra"]["reason"]), level="WARNING")
    sink = log.add(lambda _: logged.set(), level="WARNING")
    async with receiver() as collector, running(collector.url("")) as made:
        made.headers = {"authorization": value}
        made.put(1)
        async with asyncio.timeout(10):
            await logged.wait()
        made.headers = {"authorization": "Bearer fine"}
        assert await arrived(collector, 1) == ["s1"]
    log.remove(keep)
    log.remove(sink)
    assert reasons == ["a header has a value that HTTP cannot carry"]
