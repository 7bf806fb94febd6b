"""Downloads of artifacts: one tenant does not take all of them, and each gives its place back."""

from pathlib import Path

import pytest

from pageworker_supervisor.api.artifact_downloads import MOST_AT_ONCE, ArtifactDownloads, WantedArtifact, image_type
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
    for _ in range(MOST_AT_ONCE):
        with pytest.raises(ApiProblem) as missing:
            await downloads.response(wanted(None), head=False)
        assert missing.value.document.code == "not_found"
        assert (await downloads.response(wanted(key), head=True)).headers["content-type"] == "application/octet-stream"
    for _ in range(MOST_AT_ONCE // 2):
        await downloads.response(wanted(key), head=False)
    with pytest.raises(ApiProblem) as full:
        await downloads.response(wanted(key), head=False)
    assert full.value.document.code == "overloaded"
    await downloads.response(wanted(key, "beta"), head=False)


def test_only_images_without_scripts_are_images() -> None:
    webp = b"RIFF\0\0\0\0WEBPVP8 "
    known = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", webp: "image/webp"}
    assert {start: image_type(start + b"<script>") for start in known} == known
    for other in (b"", b"<svg onload=x>", b"GIF89a", b"<html>", b"%PDF-", b"RIFF\0\0\0\0WAVE", b"\x89PNG"):
        assert image_type(other) is None, other
