"""A site that gives a file, takes one in a form and gives it back as a download, and takes what a flow ends with."""

import os

from e2e.test_example_modules import fields_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

SITE_URL = "http://scans.example"
"""As modules reach it."""
MODULE = "scan.files"
HANDLER = """
await page.goto(payload["url"], wait_until="domcontentloaded")
file = await helpers.file(payload["name"])
await page.locator("#file").set_input_files(file)
async with page.expect_download() as started:
    await page.click("button")
await helpers.download(await started.value, kind="back")
return {"name": file.name, "type": file.content_type, "sha256": file.sha256}
"""


class ScanSite:
    """`scan` is random. `returned` holds the bodies that flows sent."""

    def __init__(self) -> None:
        self.scan = os.urandom(1_000_000)
        self.returned: list[bytes] = []
        self.app = Starlette(
            routes=[
                Route("/scan", self._scan),
                Route("/form", self._form, methods=["GET", "POST"]),
                Route("/returned", self._returned, methods=["POST"]),
            ]
        )

    async def _scan(self, request: Request) -> Response:
        return Response(self.scan, media_type="application/pdf")

    async def _form(self, request: Request) -> Response:
        if request.method == "GET":
            fields = "<input id=file name=file type=file><button>Send</button>"
            return HTMLResponse(f"<form method=post enctype=multipart/form-data>{fields}</form>")
        data = (await fields_of(request))["file"]
        return Response(data, headers={"Content-Disposition": 'attachment; filename="back.pdf"'})

    async def _returned(self, request: Request) -> Response:
        self.returned.append(await request.body())
        return PlainTextResponse("thanks")
