"""Fetches files by URL: no redirects, no cookies, verified TLS, and a connection to the address that was checked."""

import asyncio
import mimetypes
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.delivery.http_client import Authorities
from pageworker_supervisor.files.errors import FileError
from pageworker_supervisor.files.stored_file import CONTENT_TYPE, PLAIN_TYPE
from pageworker_supervisor.files.url_target import fixed_endpoint, public_endpoint
from pageworker_supervisor.lean_httpx import httpx

PASSING = frozenset({408, 425, 429})
"""Answers that another try may change, beside those from 500 on."""
WAIT_SECONDS = 15.0
"""For each wait: to connect, for the head, for the next part."""


class UrlSource:
    """A client without connections of its own: each file has one, which ends with it."""

    def __init__(self, hosts: Mapping[str, str]) -> None:
        """`hosts`: the setting `egress.hosts`."""
        self._hosts = hosts
        self._authorities = Authorities()

    @asynccontextmanager
    async def open(self, target: CallbackTarget) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """Content type and bytes, in parts. Raises FileError, also while it is read."""
        endpoint = fixed_endpoint(target, self._hosts) or public_endpoint(target, await _resolved(target))
        try:
            if target.scheme == "https":
                await self._authorities.read()
            async with (
                httpx.AsyncClient(
                    verify=self._authorities.context, trust_env=False, follow_redirects=False, timeout=WAIT_SECONDS
                ) as client,
                client.stream(
                    "GET",
                    httpx.URL(scheme=target.scheme, host=endpoint.address, port=endpoint.port, path="/"),
                    headers=_headers(target),
                    # The certificate is that of the name. Path and query stay as they were written.
                    extensions={
                        "sni_hostname": target.host.strip("[]"),
                        "target": target.request_target.encode(),
                    },
                ) as response,
            ):
                _check_status(response.status_code)
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise FileError("file_unavailable", "its server compressed it, though it was not asked to")
                yield content_type_of(response.headers.get("content-type"), target), response.aiter_raw()
        except httpx.TimeoutException:
            raise FileError("file_unavailable", f"{target.host} did not answer within {WAIT_SECONDS:g} s") from None
        except (httpx.TransportError, httpx.StreamError, OSError) as error:
            # The text of the error may hold addresses.
            reason = f"{target.host} cannot be read: {type(error).__name__}"
            raise FileError("file_unavailable", reason) from error


def content_type_of(untrusted_header: str | None, target: CallbackTarget) -> str:
    """As the server says, without parameters; else by the ending of the path."""
    named = (untrusted_header or "").partition(";")[0].strip().lower()
    if re.match(CONTENT_TYPE, named):
        return named
    return mimetypes.guess_type(target.path)[0] or PLAIN_TYPE


def _headers(target: CallbackTarget) -> dict[str, str]:
    default = {"http": 80, "https": 443}[target.scheme]
    host = target.host if target.port == default else f"{target.host}:{target.port}"
    return {"Host": host, "User-Agent": "pageworker", "Accept": "*/*", "Accept-Encoding": "identity"}


def _check_status(status: int) -> None:
    if status == 200:
        return
    if 300 <= status < 400:
        raise FileError("file_not_allowed", f"its URL redirects ({status}): name the URL that it leads to")
    if status in PASSING or status >= 500:
        raise FileError("file_unavailable", f"its server answered {status}")
    raise FileError("file_unknown", f"its server answered {status}")


async def _resolved(target: CallbackTarget) -> list[str]:
    name = target.host.strip("[]")
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, target.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        raise FileError("file_unavailable", f"the name {name} cannot be resolved") from error
    return [str(address[0]) for _, _, _, _, address in found]
