"""Artifacts of results, passed on from the store."""

import re

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.artifact_downloads import ArtifactDownloads, WantedArtifact
from pageworker_supervisor.api.endpoint import TENANT, Endpoint
from pageworker_supervisor.api.grant import READ, ApiGrant, job_of, nothing_there
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.artifacts.keys import key_of_url
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.queue.inspection import QueueInspection

_NUMBER = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)


class _Artifacts(Struct, frozen=True):
    artifacts: tuple[ArtifactRecord, ...] = ()


_artifacts = msgspec.json.Decoder(_Artifacts)


class ArtifactEndpoint:
    """The handler, over the queue."""

    def __init__(self, inspection: QueueInspection, calls: RedisCalls, downloads: ArtifactDownloads) -> None:
        self._inspection = inspection
        self._calls = calls
        self._downloads = downloads

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
        return await self._downloads.response(await self._wanted(ref, untrusted_number), head=head)

    async def image(self, ref: JobRef, untrusted_number: str) -> Response:
        """An artifact that is an image, to be shown in a page of the same origin. Raises ApiProblem."""
        return await self._downloads.image(await self._wanted(ref, untrusted_number))

    async def _wanted(self, ref: JobRef, untrusted_number: str) -> WantedArtifact:
        record = await self._record(ref, untrusted_number)
        return WantedArtifact(
            tenant_id=ref.tenant_id,
            key=key_of_url(record.url, ref),
            etag=record.sha256,
            content_type=record.content_type,
            about=str(ref),
        )

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
