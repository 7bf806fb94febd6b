"""Artifacts of results, passed on from the store."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.endpoint import TENANT, Endpoint
from pageworker_supervisor.api.grant import READ, ApiGrant, job_of, nothing_there
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.tenant_quota import HoldingResponse, TenantQuota
from pageworker_supervisor.artifacts.errors import ArtifactMissing, ArtifactStoreAway
from pageworker_supervisor.artifacts.keys import key_of_url
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.queue.inspection import QueueInspection
from pageworker_supervisor.telemetry import log

MOST_AT_ONCE = 64
MOST_IMAGE_BYTES = 8 * 1024 * 1024
AGAIN_SECONDS = 2.0

_NUMBER = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}(; ?charset=[a-z0-9-]{1,20})?", re.ASCII)
HEADERS = {
    "Cache-Control": "private, no-store",
    # A page may have written it: a browser must not run it on the address of the API.
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


class _Artifacts(Struct, frozen=True):
    artifacts: tuple[ArtifactRecord, ...] = ()


_artifacts = msgspec.json.Decoder(_Artifacts)


class ArtifactEndpoint:
    """The handler, over the queue and the store."""

    def __init__(self, inspection: QueueInspection, calls: RedisCalls, store: ArtifactStore) -> None:
        self._inspection = inspection
        self._calls = calls
        self._store = store
        self._open = TenantQuota(MOST_AT_ONCE)

    def table(self) -> tuple[Endpoint, ...]:
        """The operation."""
        path = "/v1/jobs/{job_id}/artifacts/{number}"
        fixed = ("GET", path, self.artifact, READ, "Download an artifact of a result, counted from 0", {200: ()})
        return (Endpoint(*fixed, query=(TENANT,), downloads=True, problems=("not_found", "store_unavailable")),)

    async def artifact(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/jobs/{job_id}/artifacts/{number}`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name,))
        ref = job_of(grant, request.path_params["job_id"], values.get(TENANT.name))
        return await self.download(ref, request.path_params["number"], head=request.method == "HEAD")

    async def download(self, ref: JobRef, untrusted_number: str, *, head: bool) -> Response:
        """The bytes as a download. `head`: without them. Raises ApiProblem."""
        record = await self._record(ref, untrusted_number)
        key = key_of_url(record.url, ref)
        with ExitStack() as held:
            if not self._open.take(ref.tenant_id):
                raise ApiProblem("overloaded", "Too many artifacts are downloaded now", retry_after=AGAIN_SECONDS)
            held.callback(self._open.give_back, ref.tenant_id)
            size, parts = await self._found(key)
            headers = {**HEADERS, "Content-Length": str(size), "ETag": f'"{record.sha256}"'}
            if head:
                return Response(headers=headers, media_type=_media_type(record))
            response = HoldingResponse(_passed_on(parts, ref), headers=headers, media_type=_media_type(record))
            response.held = held.pop_all()
            return response

    async def image(self, ref: JobRef, untrusted_number: str) -> Response:
        """An artifact that is an image, to be shown in a page of the same origin. Raises ApiProblem."""
        record = await self._record(ref, untrusted_number)
        if record.bytes > MOST_IMAGE_BYTES:
            raise ApiProblem("not_found", "The image is too large to be shown: download it")
        with ExitStack() as held:
            if not self._open.take(ref.tenant_id):
                raise ApiProblem("overloaded", "Too many artifacts are downloaded now", retry_after=AGAIN_SECONDS)
            held.callback(self._open.give_back, ref.tenant_id)
            size, parts = await self._found(key_of_url(record.url, ref))
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

    async def _record(self, ref: JobRef, untrusted_number: str) -> ArtifactRecord:
        text = await self._calls.run(self._inspection.result(ref))
        if text is None or not _NUMBER.fullmatch(untrusted_number):
            raise nothing_there()
        try:
            artifacts = _artifacts.decode(text).artifacts
        except UNREADABLE:
            artifacts = ()
        if int(untrusted_number) >= len(artifacts):
            raise ApiProblem("not_found", f"The result has {len(artifacts)} artifacts")
        return artifacts[int(untrusted_number)]


async def _passed_on(parts: AsyncIterator[bytes], ref: JobRef) -> AsyncIterator[bytes]:
    try:
        async for part in parts:
            yield part
    except (ArtifactMissing, ArtifactStoreAway) as broken:
        # The length is announced: the client notices that the rest is missing.
        log.warning("an artifact was not read to its end", job=str(ref), reason=str(broken))


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


def _media_type(record: ArtifactRecord) -> str:
    named = record.content_type.lower()
    return named if _MEDIA_TYPE.fullmatch(named) else "application/octet-stream"
