"""Events of a tenant as they come: server-sent events."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.endpoint import TENANT, Endpoint
from pageworker_supervisor.api.gate import RequestGate
from pageworker_supervisor.api.grant import READ, ApiGrant, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.tenant_quota import HoldingResponse, TenantQuota
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.redis_client.channels import ChannelListener
from pageworker_supervisor.redis_client.errors import RedisUnavailable

MOST_STREAMS = 1000
MOST_WAITING = 1000
"""Events that one client has not read yet. Above it, they are dropped, and the client is told of a gap."""
MOST_WAITING_BYTES = 1024 * 1024
"""The same for their bytes. Those that are being sent do not count here."""
MOST_UNREAD_BYTES = 64 * 1024 * 1024
"""Of all clients, with those that are being sent. At most half of them are one tenant's."""
ALIVE_SECONDS = 15.0
"""After this time without an event, a comment shows that the connection lives, and the token is looked at again."""
AGAIN_SECONDS = 2.0
GAP = b"event: gap\ndata: {}\n\n"
"""Events may be missing here."""
ALIVE = b": alive\n\n"

_NAME = re.compile(r"[a-z_]{1,60}")


class _NamedEvent(Struct, frozen=True):
    event: str


_named = msgspec.json.Decoder(_NamedEvent)


class EventFeed:
    """What one client has not read yet: a reader of its tenant's channel. Close it in the end."""

    def __init__(self, tenant_id: str, unread: TenantQuota) -> None:
        """`unread`: the bytes that all clients share."""
        self._tenant_id = tenant_id
        self._unread = unread
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sent_bytes = 0
        """Of what is being sent: the client has read it when it wants the next."""
        self._came = asyncio.Event()
        self._closed = False

    def message(self, untrusted_text: bytes) -> None:
        """An event of the tenant."""
        if self._closed:
            return
        event = sent_event(untrusted_text)
        if not self._keep(event):
            self._drop()
            self.gap()
            self._keep(event)
        self._came.set()

    def gap(self) -> None:
        """Events may have been lost."""
        if not self._waiting or self._waiting[-1] is not GAP:
            self._waiting.append(GAP)
        self._came.set()

    def close(self) -> None:
        """The client is gone."""
        self._closed = True
        self._drop()
        self._read()

    def _keep(self, event: bytes) -> bool:
        """False: there is no space for it, and it is not kept."""
        size = len(event)
        if len(self._waiting) >= MOST_WAITING or self._waiting_bytes + size > MOST_WAITING_BYTES:
            return False
        if not self._unread.take(self._tenant_id, size):
            return False
        self._waiting.append(event)
        self._waiting_bytes += size
        return True

    def _drop(self) -> None:
        self._waiting.clear()
        self._unread.give_back(self._tenant_id, self._waiting_bytes)
        self._waiting_bytes = 0

    def _read(self) -> None:
        self._unread.give_back(self._tenant_id, self._sent_bytes)
        self._sent_bytes = 0

    async def next(self, seconds: float) -> bytes:
        """All that waits, once there is something; a comment after this time. What came before is read then."""
        self._read()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._came.wait()
        self._came.clear()
        found = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes, self._sent_bytes = 0, self._waiting_bytes
        return found or ALIVE


def sent_event(untrusted_text: bytes) -> bytes:
    """One event as the stream has it. Its name is that of the event, as far as it has one."""
    try:
        name = _named.decode(untrusted_text).event
    except UNREADABLE:
        name = ""
    data = untrusted_text.replace(b"\r", b" ").replace(b"\n", b" ")
    head = b"event: " + name.encode() + b"\n" if _NAME.fullmatch(name) else b""
    return head + b"data: " + data + b"\n\n"


class EventEndpoint:
    """The handler, over one connection to Redis for all clients."""

    def __init__(self, listener: ChannelListener, gate: RequestGate, prefix: str) -> None:
        self._listener = listener
        self._gate = gate
        self._prefix = prefix
        self._streams = TenantQuota(MOST_STREAMS)
        self._unread = TenantQuota(MOST_UNREAD_BYTES)

    @property
    def open_streams(self) -> int:
        """Clients that follow events."""
        return self._streams.held

    def table(self) -> tuple[Endpoint, ...]:
        """The operation."""
        fixed = ("GET", "/v1/events", self.events, READ, "Follow the events of the tenant", {200: ()})
        return (Endpoint(*fixed, query=(TENANT,), problems=("not_found",)),)

    async def events(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/events`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name,))
        tenant_id = tenant_of(grant, values.get(TENANT.name))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/event-stream")
        if not self._streams.take(tenant_id):
            raise ApiProblem("overloaded", "Too many clients follow events", retry_after=AGAIN_SECONDS)
        feed = EventFeed(tenant_id, self._unread)
        stream = self._stream(request, tenant_id, feed)
        response = HoldingResponse(stream, headers=headers, media_type="text/event-stream")
        response.held = contextlib.ExitStack()
        response.held.callback(self._streams.give_back, tenant_id)
        response.held.callback(feed.close)
        return response

    async def _stream(self, request: Request, tenant_id: str, feed: EventFeed) -> AsyncIterator[bytes]:
        # With a broken subscription the stream ends. Clients connect again.
        with contextlib.suppress(RedisUnavailable, ApiProblem):
            async with self._listener.listening(f"{self._prefix}:events:{tenant_id}", feed):
                yield ALIVE
                while True:
                    text = await feed.next(ALIVE_SECONDS)
                    if not await self._gate.still_admits(request):
                        return
                    yield text
