"""Artifacts by signed links: a link gives the artifact to everyone who has it, without a token, until it ends."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.artifact_downloads import AGAIN_SECONDS, ArtifactDownloads, WantedArtifact
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.artifacts.keys import content_type_of_key, is_key
from pageworker_supervisor.artifacts.link_secret import ArtifactLinks, LinkSecretAway
from pageworker_supervisor.telemetry import log

PATH = "/v1/artifacts/{key:path}"
EXPIRES, SIGNATURE = "expires", "signature"


class ArtifactLinkEndpoint:
    """The handler of links."""

    def __init__(self, links: ArtifactLinks | None, downloads: ArtifactDownloads) -> None:
        """`links` None: this fleet signs none."""
        self._links = links
        self._downloads = downloads

    async def artifact(self, request: Request) -> Response:
        """`GET /v1/artifacts/{key}?expires=…&signature=…`. Raises ApiProblem."""
        values = check_names(request.query_params.multi_items(), (EXPIRES, SIGNATURE))
        key: str = request.path_params["key"]
        if self._links is None or not is_key(key):
            raise ApiProblem("not_found", "There is no such path")
        try:
            link = await self._links.verified(key, values.get(EXPIRES, ""), values.get(SIGNATURE, ""))
        except LinkSecretAway as away:
            log.warning("a link cannot be verified", reason=str(away))
            detail = "Links cannot be verified now"
            raise ApiProblem("store_unavailable", detail, retry_after=AGAIN_SECONDS) from away
        if link is None:
            raise ApiProblem("link_invalid", "The link has expired, or its signature is wrong")
        parts: Sequence[str] = key.split("/")
        wanted = WantedArtifact(
            tenant_id=parts[0],
            key=key,
            etag=parts[3].rpartition("-")[2].partition(".")[0],
            content_type=content_type_of_key(key),
            about=f"{parts[0]}/{parts[2]}",
        )
        return await self._downloads.response(wanted, head=request.method == "HEAD")
