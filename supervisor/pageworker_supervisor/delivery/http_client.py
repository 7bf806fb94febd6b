"""POSTs to receivers: no redirects, verified TLS, a bound on every wait and on the size of the answer."""

import asyncio
import os
import ssl
from types import TracebackType
from typing import Self

import certifi

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.delivery.callback_policy import (
    Answered,
    DeliveryOutcome,
    DeliveryTrouble,
    ReceiverUnreachable,
)
from pageworker_supervisor.lean_httpx import httpx

EXCERPT_BYTES = 4096
BODY_SECONDS = 1.0
"""The status decides. The body is read only for n8n's message."""
KEEP_ALIVE_SECONDS = 30.0


class Authorities:
    """The certificate authorities of the system, a company's own included, and those of certifi.

    They are read before the first connection that needs them: it takes 80 ms of processor time.
    """

    def __init__(self) -> None:
        # With a folder that has no certificates, the context trusts no authority yet, and is else as usual.
        self.context = ssl.create_default_context(capath=os.devnull)
        self._one_at_a_time = asyncio.Lock()
        self._are_read = False

    async def read(self) -> None:
        """Read them into `context`, once. Raises OSError."""
        async with self._one_at_a_time:
            if not self._are_read:
                await asyncio.to_thread(self._read)
                self._are_read = True

    def _read(self) -> None:
        # certifi's first: the other call reports no error, e.g. if there is no descriptor left.
        self.context.load_verify_locations(certifi.where())
        self.context.load_default_certs()


class CallbackHttpClient:
    """A connection pool."""

    def __init__(self, kept_connections: int) -> None:
        """`kept_connections`: idle ones. The caller bounds how many are in use."""
        self._authorities = Authorities()
        self._client = httpx.AsyncClient(
            verify=self._authorities.context,
            # A proxy from the environment would see every result.
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=kept_connections,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            ),
            # No compression: an answer must not be unpacked.
            headers={"User-Agent": "pageworker", "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def post(
        self, target: CallbackTarget, headers: dict[str, str], body: bytes, timeout_seconds: float
    ) -> DeliveryOutcome:
        """Send one POST. Nothing that a receiver does raises an error."""
        try:
            request = self._client.build_request(
                "POST",
                httpx.URL(scheme=target.scheme, host=target.host.strip("[]"), port=target.port, path="/"),
                headers=headers,
                content=body,
                # Path and query stay as they were written: the URL is opaque, and may be signed.
                extensions={"target": target.request_target.encode()},
                timeout=timeout_seconds,
            )
            async with asyncio.timeout(timeout_seconds):
                if target.scheme == "https":
                    await self._authorities.read()
                response = await self._client.send(request, stream=True)
        except (TimeoutError, httpx.TimeoutException):
            return ReceiverUnreachable(DeliveryTrouble.TIMEOUT)
        except (httpx.TransportError, httpx.StreamError) as error:
            return ReceiverUnreachable(_trouble(error), str(error))
        except (httpx.InvalidURL, ValueError) as error:
            # UnicodeError is a ValueError: httpx checks names by other rules than browsers do.
            return ReceiverUnreachable(DeliveryTrouble.URL, str(error))
        except OSError as error:
            return ReceiverUnreachable(DeliveryTrouble.TLS, f"the certificate authorities cannot be read: {error}")
        try:
            excerpt = await _excerpt(response)
        finally:
            await response.aclose()
        return Answered(response.status_code, excerpt, response.headers.get("retry-after"))


async def _excerpt(response: httpx.Response) -> bytes:
    excerpt = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in response.aiter_raw():
                excerpt += chunk
                if len(excerpt) >= EXCERPT_BYTES:
                    break
    except (TimeoutError, httpx.TransportError, httpx.StreamError):
        return excerpt[:EXCERPT_BYTES]
    return excerpt[:EXCERPT_BYTES]


def _trouble(error: httpx.TransportError | httpx.StreamError) -> DeliveryTrouble:
    text = str(error).lower()
    if "ssl" in text or "certificate" in text:
        return DeliveryTrouble.TLS
    if isinstance(error, httpx.ConnectError):
        unknown = "name or service" in text or "getaddrinfo" in text or "nodename" in text
        return DeliveryTrouble.NAME if unknown else DeliveryTrouble.REFUSED
    if isinstance(error, httpx.NetworkError):
        return DeliveryTrouble.RESET
    if "disconnected" in text:
        return DeliveryTrouble.RESET
    return DeliveryTrouble.BROKEN
