"""Passes artifacts on from their store: a bounded number at once."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack

from msgspec import Struct
from starlette.responses import Response

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.tenant_quota import HoldingResponse, TenantQuota
from pageworker_supervisor.artifacts.errors import ArtifactMissing, ArtifactStoreAway
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.telemetry import log

MOST_AT_ONCE = 64
MOST_IMAGE_BYTES = 8 * 1024 * 1024
AGAIN_SECONDS = 2.0

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}(; ?charset=[a-z0-9-]{1,20})?", re.ASCII)
HEADERS = {
    "Cache-Control": "private, no-store",
    # A page may have written it: a browser must not run it on the address of the API.
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


class WantedArtifact(Struct, frozen=True, kw_only=True):
    """What a caller may have. `key` None: it is in no store of this fleet. `about`: for the log."""

    tenant_id: str
    key: str | None
    etag: str
    content_type: str
    about: str


class ArtifactDownloads:
    """The downloads of all callers."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._open = TenantQuota(MOST_AT_ONCE)

    async def response(self, wanted: WantedArtifact, *, head: bool) -> Response:
        """The artifact as a download. `head`: without its bytes. Raises ApiProblem."""
        with ExitStack() as held:
            if not self._open.take(wanted.tenant_id):
                raise ApiProblem("overloaded", "Too many artifacts are downloaded now", retry_after=AGAIN_SECONDS)
            held.callback(self._open.give_back, wanted.tenant_id)
            size, parts = await self._found(wanted.key)
            headers = {**HEADERS, "Content-Length": str(size), "ETag": f'"{wanted.etag}"'}
            if head:
                return Response(headers=headers, media_type=_media_type(wanted.content_type))
            media_type = _media_type(wanted.content_type)
            response = HoldingResponse(_passed_on(parts, wanted.about), headers=headers, media_type=media_type)
            response.held = held.pop_all()
            return response

    async def image(self, wanted: WantedArtifact) -> Response:
        """An artifact that is an image, to be shown in a page of the same origin. Raises ApiProblem."""
        with ExitStack() as held:
            if not self._open.take(wanted.tenant_id):
                raise ApiProblem("overloaded", "Too many artifacts are downloaded now", retry_after=AGAIN_SECONDS)
            held.callback(self._open.give_back, wanted.tenant_id)
            size, parts = await self._found(wanted.key)
            if size > MOST_IMAGE_BYTES:
                raise ApiProblem("not_found", "The image is too large to be shown: download it")
            try:
                image = b"".join([part async for part in parts])
            except (ArtifactMissing, ArtifactStoreAway) as broken:
                raise ApiProblem("store_unavailable", str(broken), retry_after=AGAIN_SECONDS) from broken
        kind = image_type(image)
        if kind is None:
            raise ApiProblem("not_found", "The artifact is no image that a page shows")
        headers = {**HEADERS, "Content-Disposition": "inline", "Cross-Origin-Resource-Policy": "same-origin"}
        return Response(image, headers=headers, media_type=kind)

    async def _found(self, key: str | None) -> tuple[int, AsyncIterator[bytes]]:
        try:
            if key is None:
                raise ArtifactMissing
            return await self._store.get(key)
        except ArtifactMissing:
            raise ApiProblem("not_found", "The artifact is not in the store any more") from None
        except ArtifactStoreAway as away:
            raise ApiProblem("store_unavailable", str(away), retry_after=AGAIN_SECONDS) from away


async def _passed_on(parts: AsyncIterator[bytes], about: str) -> AsyncIterator[bytes]:
    try:
        async for part in parts:
            yield part
    except (ArtifactMissing, ArtifactStoreAway) as broken:
        # The length is announced: the client notices that the rest is missing.
        log.warning("an artifact was not read to its end", job=about, reason=str(broken))


def image_type(untrusted_bytes: bytes) -> str | None:
    """The media type of an image, by its first bytes; None: it is no image without scripts.

    https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern
    """
    if untrusted_bytes.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if untrusted_bytes.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if untrusted_bytes[:4] == b"RIFF" and untrusted_bytes[8:14] == b"WEBPVP":
        return "image/webp"
    return None


def _media_type(content_type: str) -> str:
    named = content_type.lower()
    return named if _MEDIA_TYPE.fullmatch(named) else "application/octet-stream"
