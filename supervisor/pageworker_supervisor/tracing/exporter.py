"""Sends spans to a collector by OTLP/HTTP. Whatever the collector does, no job waits for it.

Spans wait in a queue with a maximum length. If the collector is slow or away, the oldest are dropped and counted.
"""

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import certifi

from pageworker_supervisor.lean_httpx import httpx
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.tracing.errors import HeadersMissing
from pageworker_supervisor.tracing.otlp import SpanEncoder
from pageworker_supervisor.tracing.span import Span

MAX_WAITING = 4096
"""Spans in the queue, those under way included: some megabytes."""
BATCH = 256
GATHER_SECONDS = 1.0
"""How long a span waits at most for others of its batch."""
SLOW_SECONDS = 1.5
"""A collector that has not answered by then has a line in the log, whatever its time limit is."""
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 30.0
FLUSH_SECONDS = 2.0
"""How long the end of the worker waits for the last spans."""
RETRIED = frozenset({408, 429, 502, 503, 504})
"""Statuses after which a batch is sent again. Source: OTLP specification, "Retryable Response Codes"."""
TRACES_PATH = "/v1/traces"

HEADERS = {"Content-Type": "application/x-protobuf", "User-Agent": "pageworker"}

HeaderSource = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the headers of a request. Raises HeadersMissing."""


class SpanExporter:
    """The queue of spans, and the task that sends them."""

    def __init__(
        self,
        endpoint: str,
        headers: HeaderSource,
        timeout_seconds: float,
        encoder: SpanEncoder,
        on_dropped: Callable[[int], None],
    ) -> None:
        """`endpoint`: base URL of the collector. `on_dropped` is told how many spans were just dropped."""
        self.timeout_seconds = timeout_seconds
        """Of one request. It may change."""
        self._url = traces_url(endpoint)
        self._shown = shown_url(endpoint)
        self._headers = headers
        self._encoder = encoder
        self._on_dropped = on_dropped
        self._queue: deque[Span] = deque()
        self._sending = 0
        self._filled = asyncio.Event()
        self._full_batch = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopping = False
        self._dropped = 0
        """Since the collector answered last."""
        self._trouble = ""
        """Why the collector does not take spans; "" while it does."""

    def put(self, span: Span) -> None:
        """Queue a span. Never waits."""
        if len(self._queue) + self._sending >= MAX_WAITING:
            if not self._queue:
                self._drop(1)
                return
            self._queue.popleft()
            self._drop(1)
        self._queue.append(span)
        self._empty.clear()
        self._filled.set()
        if len(self._queue) >= BATCH:
            self._full_batch.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with httpx.AsyncClient(verify=_trust(), trust_env=False, follow_redirects=False) as client:
            while True:
                await self._filled.wait()
                if not self._stopping:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(GATHER_SECONDS):
                            await self._full_batch.wait()
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                self._sending = len(batch)
                if len(self._queue) < BATCH:
                    self._full_batch.clear()
                await self._deliver(client, batch)
                self._sending = 0
                if not self._queue:
                    self._filled.clear()
                    self._empty.set()

    async def stop(self) -> None:
        """Send what waits, for FLUSH_SECONDS at most, while `run` still runs. The rest is dropped."""
        self._stopping = True
        self._full_batch.set()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            left = len(self._queue) + self._sending
            self._drop(left)
            log.warning("spans were not sent before the end", spans=left, collector=self._shown)

    async def _deliver(self, client: httpx.AsyncClient, batch: Sequence[Span]) -> None:
        """Send one batch until the collector takes it or refuses it for good."""
        # In a thread: a batch takes some milliseconds, in which the event loop would serve nothing else.
        try:
            body = await asyncio.to_thread(self._encoder.encode, batch)
        except ValueError as error:  # a bug: what it raised would end the worker, with all its jobs
            log.opt(exception=error).error("spans are dropped, they cannot be encoded", spans=len(batch))
            self._drop(len(batch))
            return
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            why_not, again = await self._watched(client, body)
            if not why_not:
                self._works()
                return
            self._fails(why_not)
            if not again:
                self._drop(len(batch))
                return
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))
            backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def _watched(self, client: httpx.AsyncClient, body: bytes) -> tuple[str, bool]:
        slow = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._fails, "it has not answered yet")
        try:
            return await self._post(client, body)
        finally:
            slow.cancel()

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> tuple[str, bool]:
        """Why the collector did not take it, "" if it did; and whether to try again."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                headers = {**await self._headers(), **HEADERS}
                request = client.build_request("POST", self._url, content=body, headers=headers, timeout=None)
                response = await client.send(request, stream=True)
                await response.aclose()
        except TimeoutError:
            return f"no answer within {self.timeout_seconds:g} s", True
        except HeadersMissing as missing:
            return str(missing), True
        except (httpx.LocalProtocolError, ValueError):
            # The libraries' texts quote the header, and so a secret.
            return "a header has a value that HTTP cannot carry", True
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return str(error) or type(error).__name__, True
        if response.is_success:
            return "", False
        return f"HTTP status {response.status_code}", response.status_code in RETRIED

    def _fails(self, why: str) -> None:
        if not self._trouble:
            log.warning("spans are not delivered", collector=self._shown, reason=why)
        self._trouble = why

    def _works(self) -> None:
        if self._trouble:
            log.info("spans are delivered again", collector=self._shown, dropped=self._dropped)
        self._trouble = ""
        self._dropped = 0

    def _drop(self, count: int) -> None:
        if count:
            self._dropped += count
            self._on_dropped(count)


def traces_url(endpoint: str) -> str:
    """Where traces go: the path is added to the base URL, as OpenTelemetry's own exporters do."""
    return endpoint if endpoint.endswith(TRACES_PATH) else endpoint.rstrip("/") + TRACES_PATH


def shown_url(endpoint: str) -> str:
    """Scheme, host and port, which hold no password."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _trust() -> ssl.SSLContext:
    """The system's certificate authorities, a company's own included, and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
