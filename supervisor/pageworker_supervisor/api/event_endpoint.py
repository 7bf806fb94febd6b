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
"""Events that one client has not read yet. Above it, the oldest are dropped, and the client is told of a gap."""
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
    """What one client has not read yet: a reader of its tenant's channel."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._came = asyncio.Event()

    def message(self, untrusted_text: bytes) -> None:
        """An event of the tenant."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self._waiting.append(GAP)
        self._waiting.append(sent_event(untrusted_text))
        self._came.set()

    def gap(self) -> None:
        """Events may have been lost."""
        self._waiting.append(GAP)
        self._came.set()

    async def next(self, seconds: float) -> bytes:
        """All that waits, once there is something; a comment after this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._came.wait()
        self._came.clear()
        found = b"".join(self._waiting)
        self._waiting.clear()
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
        stream = self._stream(request, tenant_id)
        response = HoldingResponse(stream, headers=headers, media_type="text/event-stream")
        response.held = contextlib.ExitStack()
        response.held.callback(self._streams.give_back, tenant_id)
        return response

    async def _stream(self, request: Request, tenant_id: str) -> AsyncIterator[bytes]:
        feed = EventFeed()
        # With a broken subscription the stream ends. Clients connect again.
        with contextlib.suppress(RedisUnavailable, ApiProblem):
            async with self._listener.listening(f"{self._prefix}:events:{tenant_id}", feed):
                yield ALIVE
                while True:
                    text = await feed.next(ALIVE_SECONDS)
                    if not await self._gate.still_admits(request):
                        return
                    yield text
