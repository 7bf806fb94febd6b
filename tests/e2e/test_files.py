"""A file goes by the API through a form of a site, and back as an artifact by its link. Bad ones are refused."""

import hashlib
import os
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from api.conftest import ServedApi, serving
from e2e.test_example_modules import fields_of
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_supervisor.config.load import read_local

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(300)]

CLAIM, NOTE = os.urandom(5_000_000), b"a note"
SHOP = "http://shop.example"
UPLOADS = """
await page.goto(payload["url"], wait_until="domcontentloaded")
file = await helpers.file("claim.pdf")
await page.locator("#file").set_input_files(file)
async with page.expect_download() as started:
    await page.click("button")
back = await helpers.download(await started.value, kind="back")
again = await file.read()
return {"name": file.name, "type": file.content_type, "bytes": [file.bytes, len(again), back.bytes], "sha": file.sha256}
"""
STEALS = """
import os
names = []
for number in range(200):
    try:
        names.append(os.readlink(f"/proc/self/fd/{number}"))
    except OSError:
        pass
try:
    await helpers.file("claim.pdf")
except Failed as failed:
    return {"open": [name for name in names if "job file" in name], "error": failed.type}
return {"open": names, "error": "none"}
"""


class ClaimSite:
    """A form that answers with the file that it got, and files for `url`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/claim", self._claim, methods=["GET", "POST"]),
                Route("/files/{name}", self._file),
            ]
        )

    async def _claim(self, request: Request) -> Response:
        if request.method == "GET":
            fields = "<input id=file name=file type=file><button>Send</button>"
            return HTMLResponse(f"<form method=post enctype=multipart/form-data>{fields}</form>")
        data = (await fields_of(request))["file"]
        return Response(data, headers={"Content-Disposition": 'attachment; filename="back.pdf"'})

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.asked.append(name)
        match name:
            case "moved":
                return RedirectResponse("/files/note")
            case "gone":
                return Response(status_code=404)
            case "busy":
                return Response(status_code=503)
        return Response(NOTE, media_type="text/plain")


async def upload(api: ServedApi, tenant: str = "a1") -> str:
    answer = await api.client.post(
        "/v1/files?name=c.pdf", content=CLAIM, headers={**api.as_(tenant), "Content-Type": "application/pdf"}
    )
    assert answer.status_code == 201, answer.text
    file_id: str = answer.json()["file_id"]
    return file_id


async def test_a_file_goes_through_a_form_and_comes_back_by_its_link(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets" / "_fleet"
    secrets.mkdir(parents=True)
    (secrets / "artifact_links").touch(0o600)
    (secrets / "artifact_links").write_text("0123456789abcdef" * 4)
    site = ClaimSite()
    modules = (
        write_module(tmp_path, "claim.files", UPLOADS, egress=["shop.example"]),
        write_module(tmp_path, "claim.steals", STEALS, egress=["shop.example"]),
    )
    async with place(*modules) as here, served(site.app) as port, aclosing(Producer(here.redis.url)) as producer:
        shared: dict[str, Any] = {
            "secrets": {"backend": "files", "files": {"folder": str(secrets.parent)}},
            "artifacts": {"link_secret": "artifact_links", "link_seconds": 600},
            "egress": {"hosts": {"shop.example": f"127.0.0.1:{port}"}},
            "jobs": {"max_retries": 1, "retry_base_seconds": 0.01},
            "pool": {"runners": 1, "pages": 1},
            "browser": HEADLESS_SHELL,
            "files": {"allowed_urls": ["http://shop.example/files/*", "http://localhost:*/*"]},
        }
        api_settings = {"bind": "127.0.0.1:0", "public_url": "https://jobs.example/pw"}
        config = here.write_config(**shared, api=api_settings)
        with here.worker(**shared, api=api_settings):
            async with serving(read_local(config, {}).settings()) as api:
                mine, foreign = await upload(api), await upload(api, "b1")
                digest, note_digest = (hashlib.sha256(data).hexdigest() for data in (CLAIM, NOTE))
                files: dict[str, dict[str, Any]] = {
                    "stored": {"file_id": mine, "sha256": digest},
                    "url": {"url": f"{SHOP}/files/note", "sha256": note_digest},
                    "foreign": {"file_id": foreign},
                    "digest": {"file_id": mine, "sha256": "0" * 64},
                    "moved": {"url": f"{SHOP}/files/moved"},
                    "gone": {"url": f"{SHOP}/files/gone"},
                    "busy": {"url": f"{SHOP}/files/busy"},
                    "outside": {"url": f"{SHOP}/claim"},
                    "private": {"url": f"http://localhost:{port}/files/note"},
                }
                await producer.push(
                    *(
                        producer.job(
                            name, "claim.files", {"url": f"{SHOP}/claim"}, files=[{"name": "claim.pdf", **file}]
                        )
                        for name, file in files.items()
                    )
                )
                await producer.collect(len(files), 200)
                await producer.push(producer.job("thief", "claim.steals", {}))
                await producer.collect(len(files) + 1, 30)
                results = producer.results
                link = results["stored"]["artifacts"][0]["url"]
                path = link.removeprefix("https://jobs.example/pw")
                got = await api.client.get(path)
                forged = await api.client.get(path.replace("/acme/", "/beta/"))
                later = await api.client.get(path.replace("expires=1", "expires=2"))
    of_claim = {"name": "claim.pdf", "type": "application/pdf", "bytes": [len(CLAIM)] * 3, "sha": digest}
    of_note = {"name": "claim.pdf", "type": "text/plain", "bytes": [len(NOTE)] * 3, "sha": note_digest}
    found = [results[name]["data"] or results[name]["error"] for name in ("stored", "url")]
    assert found == [of_claim, of_note]
    assert (got.status_code, got.content == CLAIM) == (200, True)
    assert got.headers["content-disposition"] == "attachment"
    assert (forged.status_code, later.status_code) == (403, 403)
    refused = {name: (result["status"], (result["error"] or {}).get("type")) for name, result in results.items()}
    assert {name: refused[name] for name in files if name not in ("stored", "url")} == {
        "foreign": ("rejected", "file_unknown"),
        "digest": ("rejected", "file_hash_mismatch"),
        "moved": ("rejected", "file_not_allowed"),
        "gone": ("rejected", "file_unknown"),
        "busy": ("failed", "file_unavailable"),
        "outside": ("rejected", "file_not_allowed"),
        "private": ("rejected", "file_not_allowed"),
    }
    assert site.asked.count("busy") == 2, "it was tried again"
    assert results["thief"]["data"] == {"open": [], "error": "file_missing"}
