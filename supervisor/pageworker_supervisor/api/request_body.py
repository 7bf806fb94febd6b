"""Reads request bodies within limits of size and time, and of the memory that all bodies together take.

What is left of a refused body is not read here. uvicorn drops it, so that the client gets the answer before the
connection is closed; the time for that is limited as for the head of a next request.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.tenant_quota import TenantQuota

BODY_SECONDS = 30.0
"""From the head of a request to the end of its body."""
TOGETHER_BYTES = 128 * 1024 * 1024
"""Of all bodies that are read or handled at the same time. One tenant has half of them at most."""
FULL_SECONDS = 1.0


class RequestBodies:
    """The bodies of all requests."""

    def __init__(self, max_bytes: int, together_bytes: int = TOGETHER_BYTES, seconds: float = BODY_SECONDS) -> None:
        self._max_bytes = max_bytes
        self._bytes = TenantQuota(together_bytes)
        self._seconds = seconds

    @asynccontextmanager
    async def json(self, request: Request, tenant_id: str) -> AsyncIterator[bytes]:
        """The body, whose memory counts until the end of the block, as that of the caller's tenant. Raises
        ApiProblem."""
        _check_head(request, self._max_bytes)
        taken, chunks = 0, []
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    async for chunk in request.stream():
                        if taken + len(chunk) > self._max_bytes:
                            raise too_large(self._max_bytes)
                        if not self._bytes.take(tenant_id, len(chunk)):
                            detail = "The bodies of other requests take all memory that there is for them"
                            raise ApiProblem("overloaded", detail, retry_after=FULL_SECONDS)
                        taken += len(chunk)
                        chunks.append(chunk)
            except TimeoutError:
                detail = f"The body did not arrive within {self._seconds:g} s"
                raise ApiProblem("body_timeout", detail) from None
            except ClientDisconnect:
                raise ApiProblem("invalid_request", "The connection was closed before the body was complete") from None
            yield b"".join(chunks)
        finally:
            self._bytes.give_back(tenant_id, taken)


def too_large(max_bytes: int) -> ApiProblem:
    """The problem of a large body."""
    return ApiProblem("body_too_large", f"A body has at most {max_bytes} bytes")


def _check_head(request: Request, max_bytes: int) -> None:
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        accepted = {"Accept": "application/json"}
        raise ApiProblem("media_type", "Send JSON as `application/json`", headers=accepted)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) <= 20 and int(length) > max_bytes:
        raise too_large(max_bytes)
