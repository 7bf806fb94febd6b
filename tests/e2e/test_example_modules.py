"""The examples that solve common tasks, each as a real job of one worker with one browser, against a local site."""

import base64
import hashlib
import time
from contextlib import aclosing
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_supervisor.secrets.totp import code_at, parse_seed

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(200)]

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("catalog_list", "portal_login", "portal_invoice", "feed_scroll", "claim_upload")
SHOP = "http://shop.example"
SEED = "JBSWY3DPEHPK3PXP"
SECRETS = {"portal_password": "correct-horse", "portal_totp": SEED}
GRANTS = {"portal_*": {"tenants": ["acme"], "modules": ["portal.*"]}}
INVOICE = b"%PDF-1.7 invoice 17"
FILE = b"a broken chair"
OFFERS = 5
LOGIN = "<form action=/login method=post>{0}<button type=submit>Go</button></form>"
APP = """
<main></main><p style="height: 2000px"></p><script>
let next = 0, loading = false;
async function load() {
  if (loading || next > 2) return;
  loading = true;
  for (const post of await (await fetch(`/api/posts?page=${next++}`)).json())
    document.querySelector('main').innerHTML +=
      `<article><b class=author>${post.author}</b><p>${post.text}</p></article>`;
  loading = false;
}
addEventListener('scroll', load);
load();
</script>
"""


async def fields_of(request: Request) -> dict[str, bytes]:
    """The fields of a form, of either encoding. Files are their bytes."""
    body, kind = await request.body(), request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return {name.decode(): value for name, value in parse_qsl(body)}
    # Any: what its parser makes of it.
    parts: Any = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
    named = ((part.get_param("name", header="content-disposition"), part) for part in parts)
    return {name: part.get_payload(decode=True) for name, part in named}


class TasksSite:
    """A site with a list, a login, invoices, a feed and a form."""

    def __init__(self) -> None:
        self.uploads: list[tuple[str, bytes]] = []
        self.app = Starlette(
            routes=[
                Route("/offers", self._offers),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/invoices", self._invoices),
                Route("/invoices/17.pdf", self._invoice),
                Route("/feed", lambda _: HTMLResponse(APP)),
                Route("/api/posts", self._posts),
                Route("/claim", self._claim, methods=["GET", "POST"]),
            ]
        )

    async def _offers(self, request: Request) -> HTMLResponse:
        number = int(request.query_params.get("page", "1"))
        about = f"<h2>Chair {number}</h2><b class=price>{number}</b><a href=/{number}>x</a><i class=tag>new</i>"
        offer = f"<div class=offer>{about}</div>"
        following = f"<a rel=next href=?page={number + 1}>Next</a>" if number < OFFERS else ""
        return HTMLResponse(f"<div id=offers>{offer}</div>{following}")

    async def _login(self, request: Request) -> HTMLResponse:
        form = await fields_of(request)
        if not form:
            return HTMLResponse(LOGIN.format("<input name=user><input name=password type=password>"))
        if "code" in form:
            # A code of the period before counts too, as on real sites.
            right = form["code"].decode() in {code_at(parse_seed(SEED), time.time() + shift) for shift in (-30, 0)}
            return HTMLResponse("<p id=member>ada</p>" if right else "<p role=alert>wrong code</p>")
        if (form["password"].decode(), form["user"]) != (SECRETS["portal_password"], b"ada"):
            return HTMLResponse("<p role=alert>wrong</p>")
        return HTMLResponse(LOGIN.format("<input name=code>"))

    async def _invoices(self, request: Request) -> HTMLResponse:
        return HTMLResponse("<ul id=invoices><li><a href=/invoices/17.pdf>2026-17</a></ul>")

    async def _invoice(self, request: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="2026-17.pdf"'}
        return Response(INVOICE, media_type="application/pdf", headers=headers)

    async def _posts(self, request: Request) -> JSONResponse:
        page = int(request.query_params["page"])
        return JSONResponse([{"author": "ada", "text": f"post {page}.{n}"} for n in range(3)] if page < 2 else [])

    async def _claim(self, request: Request) -> HTMLResponse:
        form = await fields_of(request)
        if not form:
            fields = "<input name=subject><input name=file type=file><button type=submit>Send</button>"
            return HTMLResponse(f"<form method=post enctype=multipart/form-data>{fields}</form>")
        subject = form["subject"].decode()
        self.uploads.append((subject, form["file"]))
        return HTMLResponse("<p role=alert>later</p>" if subject == "refused" else "<p id=number>17</p>")


def job(producer: Producer, name: str, path: str, **payload: Any) -> str:
    return producer.job(name, name.partition("-")[0], {"url": f"{SHOP}/{path}", **payload})


async def test_each_example_does_its_task(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    for name, value in SECRETS.items():
        (folder / name).touch(0o600)
        (folder / name).write_text(value)
    site = TasksSite()
    modules = [EXAMPLES / name for name in NAMES]
    file = {"name": "a.txt", "content_type": "text/plain", "base64": base64.b64encode(FILE).decode()}
    async with place(*modules) as here, served(site.app) as port, aclosing(Producer(here.redis.url)) as producer:
        settings: dict[str, Any] = {
            "pool": {"runners": 1, "pages": 4},
            "browser": HEADLESS_SHELL,
            "egress": {"hosts": {"shop.example": f"127.0.0.1:{port}"}},
            "jobs": {"max_retries": 0},
            "secrets": {"backend": "files", "grants": GRANTS, "files": {"folder": str(tmp_path)}},
        }
        with here.worker(**settings) as daemon:
            await producer.push(
                job(producer, "catalog.list", "offers"),
                job(producer, "catalog.list-few", "offers", max_pages=2),
                job(producer, "portal.login", "login", user="ada"),
                job(producer, "portal.login-eve", "login", user="eve"),
                job(producer, "portal.invoice", "invoices", number="2026-17"),
                job(producer, "portal.invoice-none", "invoices", number="2026-18"),
                job(producer, "feed.scroll", "feed"),
                job(producer, "claim.upload", "claim", subject="Broken", file=file),
                job(producer, "claim.upload-refused", "claim", subject="refused", file=file),
            )
            await producer.collect(9, 150)
            assert daemon.terminate() == 0
    results = producer.results
    errors = {name: result["error"] and result["error"]["type"] for name, result in results.items()}
    assert errors == {
        "catalog.list": None,
        "catalog.list-few": None,
        "portal.login": None,
        "portal.login-eve": "login_refused",
        "portal.invoice": None,
        "portal.invoice-none": "no_such_invoice",
        "feed.scroll": None,
        "claim.upload": None,
        "claim.upload-refused": "claim_refused",
    }, {name: result["error"] for name, result in results.items()}
    offers = results["catalog.list"]["data"]
    assert [offer["title"] for offer in offers["offers"]] == [f"Chair {n}" for n in range(1, OFFERS + 1)]
    assert (offers["offers"][0]["tags"], offers["pages"], offers["ended"]) == (["new"], OFFERS, "last_page")
    assert (results["catalog.list-few"]["data"]["pages"], results["catalog.list-few"]["data"]["ended"]) == (
        2,
        "max_pages",
    )
    assert results["portal.login"]["data"] == {"member": "ada"}
    steps = [(step["text"], step["error"]) for step in results["portal.login-eve"]["steps"]]
    assert steps == [("name and password", "Failed")]
    (artifact,) = (each for each in results["portal.invoice"]["artifacts"] if each["kind"] == "invoice")
    assert artifact["sha256"] == results["portal.invoice"]["data"]["sha256"] == hashlib.sha256(INVOICE).hexdigest()
    posts = results["feed.scroll"]["data"]
    assert ([post["text"] for post in posts["posts"]][-1], len(posts["posts"]), posts["complete"]) == (
        "post 1.2",
        6,
        True,
    )
    assert results["claim.upload"]["data"] == {"number": "17", "sent_before": False}
    assert sorted(site.uploads) == [("Broken", FILE), ("refused", FILE)]
