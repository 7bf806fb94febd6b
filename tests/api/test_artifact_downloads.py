"""Downloads of artifacts: one tenant does not take all of them, and each gives its place back."""

from pathlib import Path

import pytest
from starlette.requests import Request

from pageworker_supervisor.api.artifact_downloads import MOST_AT_ONCE, ArtifactDownloads, WantedArtifact
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef


def wanted(key: str | None, tenant_id: str = "acme") -> WantedArtifact:
    return WantedArtifact(tenant_id=tenant_id, key=key, etag="x", content_type="a\nb", about="acme/17")


async def test_a_tenant_has_half_of_the_downloads(tmp_path: Path) -> None:
    store = ArtifactStore.open(None, tmp_path)
    url = (await store.put(JobRef("acme", "17"), 1, "html", "text/html", b"x")).url
    key = url.partition("/artifacts/")[2]
    downloads = ArtifactDownloads(store)
    request = Request({"type": "http", "method": "GET", "headers": []})
    head = Request({"type": "http", "method": "HEAD", "headers": []})
    for _ in range(MOST_AT_ONCE):
        with pytest.raises(ApiProblem) as missing:
            await downloads.response(request, wanted(None))
        assert missing.value.document.code == "not_found"
        assert (await downloads.response(head, wanted(key))).headers["content-type"] == "application/octet-stream"
    for _ in range(MOST_AT_ONCE // 2):
        await downloads.response(request, wanted(key))
    with pytest.raises(ApiProblem) as full:
        await downloads.response(request, wanted(key))
    assert full.value.document.code == "overloaded"
    await downloads.response(request, wanted(key, "beta"))
