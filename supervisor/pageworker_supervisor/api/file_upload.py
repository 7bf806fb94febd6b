"""Reads an upload from a request: within limits of size and time, and never whole in memory."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping

from msgspec import Struct
from starlette.requests import ClientDisconnect, Request

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.request_body import too_large
from pageworker_supervisor.contract.job_files import FILE_NAME, SHA256
from pageworker_supervisor.files.spool import UploadSpool
from pageworker_supervisor.files.stored_file import CONTENT_TYPE, PLAIN_TYPE, StoredFile, new_file_id

UPLOAD_SECONDS = 300.0
"""From the head of a request to the end of its body."""
PART_SECONDS = 30.0
"""Between two parts of the body."""


class UploadHead(Struct, frozen=True, kw_only=True):
    """What a request says of its file. `announced_bytes`: None without `Content-Length`."""

    name: str
    sha256: str | None
    content_type: str
    announced_bytes: int | None


def upload_head(values: Mapping[str, str], headers: Mapping[str, str], max_bytes: int) -> UploadHead:
    """Raises ApiProblem."""
    name, sha256 = values.get("name", ""), values.get("sha256")
    if not re.match(FILE_NAME, name):
        rule = "`name` has 1 to 128 characters: no `/`, no `\\`, no control characters, no dot in front"
        raise ApiProblem("invalid_request", rule, field="name", hint="?name=claim.pdf")
    if sha256 is not None and not re.match(SHA256, sha256):
        raise ApiProblem("invalid_request", "`sha256` has 64 lower-case hex digits", field="sha256")
    named = headers.get("content-type", "").partition(";")[0].strip().lower()
    if named == "multipart/form-data":
        hint = "curl --data-binary @claim.pdf, not -F; in n8n: body content type `n8n Binary File`"
        raise ApiProblem("media_type", "Send the bytes of the file as the body, not a form", hint=hint)
    length = headers.get("content-length", "")
    announced = int(length) if length.isdecimal() and len(length) <= 20 else None
    if announced is not None and announced > max_bytes:
        raise too_large(max_bytes)
    if announced == 0:
        raise empty()
    kind = named if re.match(CONTENT_TYPE, named) else PLAIN_TYPE
    return UploadHead(name=name, sha256=sha256, content_type=kind, announced_bytes=announced)


async def receive(request: Request, spool: UploadSpool, max_bytes: int, part_seconds: float = PART_SECONDS) -> None:
    """Take the whole body. Raises ApiProblem, OSError."""
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for part in _parts(request, part_seconds):
                if spool.bytes + len(part) > max_bytes:
                    raise too_large(max_bytes)
                await spool.append(part)
    except TimeoutError:
        detail = f"The body stopped for {part_seconds:g} s, or took longer than {UPLOAD_SECONDS:g} s"
        raise ApiProblem("body_timeout", detail) from None
    except ClientDisconnect:
        raise ApiProblem("invalid_request", "The connection was closed before the body was complete") from None


async def _parts(request: Request, part_seconds: float) -> AsyncIterator[bytes]:
    parts = request.stream()
    while True:
        async with asyncio.timeout(part_seconds):
            part = await anext(parts, None)
        if part is None:
            return
        yield part


def stored_file(head: UploadHead, tenant_id: str, sha256: str, size: int, keep_seconds: float) -> StoredFile:
    """The description of an upload that is complete. Raises ApiProblem if it is not the one that was announced."""
    if size == 0:
        raise empty()
    if head.sha256 is not None and head.sha256 != sha256:
        raise ApiProblem("file_hash_mismatch", f"The body has the SHA-256 {sha256}", field="sha256")
    expires_at = int(time.time() + keep_seconds)
    return StoredFile(
        file_id=new_file_id(expires_at),
        tenant_id=tenant_id,
        name=head.name,
        sha256=sha256,
        bytes=size,
        content_type=head.content_type,
        expires_at=expires_at,
    )


def empty() -> ApiProblem:
    """The problem of a file without bytes."""
    return ApiProblem("file_empty", "The body has no bytes", hint="in n8n, check the name of the binary property")
