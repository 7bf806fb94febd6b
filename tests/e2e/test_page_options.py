"""Options of the browser context from module.toml, the configuration and the job, through a whole worker."""

import json
import ssl
from collections.abc import Iterator
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_servers.certificates import Certificates
from pw_servers.pages import threaded

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(300)]

LOOK = """
try:
    answer = await page.goto("https://localhost/")
except Exception as error:
    return {"error": str(error).split(" at ")[0], "runner": context.runner_id}
return {
    "status": answer.status,
    "request": (await page.request.get("https://localhost/")).status,
    "language": await page.evaluate("navigator.language"),
    "zone": await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone"),
    "dark": await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"),
    "width": await page.evaluate("innerWidth"),
    "team": await page.text_content("#team"),
    "runner": context.runner_id,
}
"""
CREDENTIALS = {"username": "anna", "password": "s3cret", "origin": "https://localhost"}
SECRETS = ("s3cret", "YW5uYTpzM2NyZXQ", "pr1ces")


class _Secured(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Basic YW5uYTpzM2NyZXQ="
        self.send_response(200 if allowed else 401)
        if not allowed:
            self.send_header("WWW-Authenticate", 'Basic realm="shop"')
        body = f"<p id=team>{self.headers['x-team'] or 'none'}</p>".encode()
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Certificates.make(folder)


@pytest.fixture
def site(certificates: Certificates) -> Iterator[int]:
    """The port of a site with a certificate of a private authority, and a password."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Secured)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with threaded(server) as port:
        yield port


def job(job_id: str, module: str, **fields: Any) -> str:
    return json.dumps({"job_id": job_id, "tenant_id": "acme", "endpoint_module": module, "max_retries": 0, **fields})


@pytest.mark.parametrize("browser", [{"flavor": "full"}, HEADLESS_SHELL], ids=["full", "shell"])
async def test_a_job_runs_with_the_options_of_module_profile_and_job(
    tmp_path: Path, certificates: Certificates, site: int, browser: dict[str, str]
) -> None:
    full = {
        "ca": "trust/ca.pem",
        "http_credentials": CREDENTIALS,
        "extra_http_headers": {"x-team": "pr1ces"},
        "locale": "de-DE",
        "timezone_id": "Asia/Tokyo",
        "color_scheme": "dark",
        "job_may_set": ["locale", "viewport"],
    }
    trusting = write_module(tmp_path, "page.full", LOOK, ["localhost"], full)
    (trusting / "trust").mkdir()
    (trusting / "trust/ca.pem").write_bytes(certificates.ca.read_bytes())
    lax_page = {"ignore_https_errors": True, "http_credentials": CREDENTIALS}
    modules = (
        trusting,
        write_module(tmp_path, "page.none", LOOK, ["localhost"]),
        write_module(tmp_path, "page.lax", LOOK, ["localhost"], lax_page),
    )
    settings: dict[str, Any] = {
        "browser": browser,
        "pool": {"runners": 3, "pages": 1, "residency_seconds": 0.1},
        "egress": {"hosts": {"localhost": f"127.0.0.1:{site}"}},
        "profiles": {"page": {"acme/lyon-*": {"locale": "fr-FR", "timezone_id": "Europe/Paris"}}},
    }
    async with place(*modules) as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(**settings) as worker:
            await producer.push(job("full-1", "page.full"))
            await producer.collect(1, 60)
            await producer.push(job("full-2", "page.full"), job("none-1", "page.none"), job("lax-1", "page.lax"))
            await producer.push(
                job("own-1", "page.full", page={"locale": "it-IT", "viewport": {"width": 390, "height": 844}})
            )
            await producer.push(job("lyon-1", "page.full", profile_id="lyon-1"))
            await producer.push(job("lyon-2", "page.full", profile_id="lyon-1", page={"locale": "it-IT"}))
            await producer.push(job("lyon-3", "page.lax", profile_id="lyon-1"))
            await producer.push(job("refused-1", "page.full", page={"color_scheme": "light"}))
            await producer.push(job("refused-2", "page.none", page={"locale": "de-DE"}))
            await producer.push(job("invalid-1", "page.full", page={"locale": "de_DE"}))
            await producer.push(job("invalid-2", "page.full", page={"http_credentials": CREDENTIALS}))
            await producer.collect(12, 120)
            keys = b"\n".join([key async for key in producer.redis.scan_iter()]).decode()
            status = json.dumps(worker.get("/status").json())
        shown = worker.log_file.read_text() + keys + status
    results = producer.results
    looks = {name: result["data"] for name, result in results.items() if result["status"] == "succeeded"}
    german = {"status": 200, "request": 200, "language": "de-DE", "zone": "Asia/Tokyo", "dark": True, "width": 1280}
    german["team"] = "pr1ces"
    full_runner = looks["full-1"]["runner"]
    assert looks["full-1"] == looks["full-2"] == german | {"runner": full_runner}, "one warm runner"
    italian = german | {"language": "it-IT"}
    assert looks["own-1"] | {"runner": ""} == italian | {"width": 390, "runner": ""}
    lyon = german | {"zone": "Europe/Paris", "language": "fr-FR", "runner": ""}
    assert looks["lyon-1"] | {"runner": ""} == lyon
    assert looks["lyon-2"] | {"runner": ""} == lyon | {"language": "it-IT"}
    assert looks["lyon-3"]["language"] == "fr-FR"
    assert (looks["lyon-3"]["dark"], looks["lyon-3"]["team"]) == (False, "none")
    assert "ERR_CERT_AUTHORITY_INVALID" in looks["none-1"]["error"]
    lax = looks["lax-1"]
    assert (lax["status"], lax["request"], lax["language"], lax["team"]) == (200, 200, "en-US", "none")
    runners = [looks[name]["runner"] for name in ("full-1", "none-1", "lax-1", "own-1", "lyon-1", "lyon-2", "lyon-3")]
    assert len(set(runners)) == len(runners), "other options, other browsers"
    for name, type_, field in (
        ("refused-1", "invalid_field", "page.color_scheme"),
        ("refused-2", "invalid_field", "page.locale"),
        ("invalid-1", "invalid_field", "page.locale"),
        ("invalid-2", "not_supported", "page.http_credentials"),
    ):
        assert results[name]["status"] == "rejected"
        assert results[name]["error"]["type"] == type_
        assert results[name]["error"]["detail"]["field"] == field
    assert not [secret for secret in SECRETS if secret in shown]
