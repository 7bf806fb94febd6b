"""A known secret of every backend, and a module that sends it everywhere. Afterwards it is nowhere.

Each backend is the real one. The worker's log, Redis' files, artifacts, traces, metrics, status and processes are
searched for the secrets as they are, and escaped for JSON, URLs and base64.
"""

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place, write_module
from pw_servers.openbao import openbao
from pw_servers.secrets_manager import CREDENTIALS, REGION, secrets_manager
from pw_servers.waiting import until
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.environment import variable_of

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

NASTY = 'Geh3im/"wört+r&d\\9 <x>'
PLAIN = "plain7secret7value"
"""A host name may hold it."""
SECRETS = {"shop_login": NASTY, "shop_key": PLAIN}
GRANTS = {"shop_*": {"tenants": ["acme"], "modules": ["test.*"]}}
SHOP = "http://shop.example"
SECRETS_LINE = 'secrets = ["shop_login", "shop_key"]\n'

LEAKS = """
    import base64, io, json, logging, urllib.parse, zipfile
    values = {name: await helpers.secret(name) for name in ("shop_login", "shop_key")}
    mode = payload["mode"]
    try:
        await (await page.context.new_page()).goto("http://" + values["shop_key"] + ".example/")
    except Exception as error:
        print(error)
    async with helpers.har(), helpers.trace():
        await page.goto("http://shop.example/?" + urllib.parse.urlencode(values))
        await helpers.fill_secret("#password", "shop_login")
        await page.fill("#user", values["shop_key"])
        await page.evaluate("value => { console.log(value); document.title = value; }", values["shop_login"])
        await page.request.post("http://shop.example/", form=values)
    for value in values.values():
        forms = [value, json.dumps(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value),
                 base64.b64encode(value.encode()).decode(), base64.b64encode(b"ada:" + value.encode()).decode(),
                 json.dumps({"a": json.dumps(value)})]
        for form in forms:
            print(form)
            logging.getLogger("own").warning("logged %s", form)
            helpers.log.info(form, **{"field": form})
        print("x" * 7990 + value)
        await page.evaluate("value => { console.log(value); document.title = value; }", value)
        await page.evaluate("value => document.body.append(value)", value)
        await helpers.html(kind="page")
        await helpers.artifact("forms", json.dumps(forms), "application/json")
        entry = {"request": {"url": page.url, "postData": {"text": urllib.parse.urlencode({"p": value})}}}
        await helpers.artifact("own_har", json.dumps({"log": {"entries": [entry]}}), "application/json")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("trace.trace", "\\n".join(forms))
        await helpers.artifact("own_trace", packed.getvalue(), "application/zip")
    await helpers.screenshot()
    try:
        await page.locator("#absent").fill(values["shop_login"], timeout=50)
    except Exception as error:
        print(repr(error))
    if mode == "raise":
        raise ValueError(f"with {values}")
    if mode == "fail":
        raise Failed(str(values), type="refused", detail=values)
    if mode == "block":
        helpers.blocked("captcha", values["shop_key"], **values)
    if mode == "call":
        await page.locator("#password").fill(values["shop_login"], timeout=1)
        await page.get_by_text(values["shop_login"]).click(timeout=50)
    return {"values": values, "deep": [{values["shop_key"]: list(values.values())}]}
"""
ENDS = {"return": "succeeded", "raise": "failed", "fail": "failed", "block": "blocked", "call": "failed"}
"""How a job ends that leaks in this way."""
BRIEF = ("return", "raise")
"""The ways for all backends but the first: what masks a value does not know where it came from."""


def forms(value: str) -> dict[str, bytes]:
    """The forms that are searched for. Base64 is cut to what does not depend on what stands around it."""
    coded = base64.b64encode(b"ada:" + value.encode()).decode()
    return {
        "as it is": value.encode(),
        "JSON": json.dumps(value)[1:-1].encode(),
        "JSON in JSON": json.dumps(json.dumps(value))[3:-3].encode(),
        "URL": quote(value, safe="").encode(),
        "form": urlencode({"p": value})[2:].encode(),
        "base64": base64.b64encode(value.encode()).rstrip(b"=")[:-1],
        "base64 inside": coded[6:].rstrip("=")[:-1].encode(),
    }


def found(data: bytes) -> list[str]:
    """Which forms of which secrets are in the data, also inside a zip file."""
    parts = [data]
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            parts += [file.read(name) for name in file.namelist()]
    return [
        f"{name}, {form}"
        for name, value in SECRETS.items()
        for form, written in forms(value).items()
        if any(written in part for part in parts)
    ]


def masks_in(file: Path) -> int:
    """How often a mask stands in a file, or in the entries of a zip file."""
    data = file.read_bytes()
    if not data.startswith(b"PK"):
        return data.count(b"(secret ")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return sum(packed.read(name).count(b"(secret ") for name in packed.namelist())


def test_the_search_finds_every_form() -> None:
    for value in SECRETS.values():
        for written in forms(value).values():
            assert found(b"x" + written + b"y")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", NASTY)
    assert found(packed.getvalue())


@contextmanager
def backend(name: str, folder: Path, environ: pytest.MonkeyPatch) -> Iterator[Mapping[str, Any]]:
    """A real backend that holds the secrets of tenant acme, and the worker's settings for it."""
    with ExitStack() as stack:
        match name:
            case "files":
                (folder / "acme").mkdir()
                for secret, value in SECRETS.items():
                    file = folder / "acme" / secret
                    file.touch(0o600)
                    file.write_text(value)
                yield {"files": {"folder": str(folder)}}
            case "systemd":
                for secret, value in SECRETS.items():
                    (folder / f"acme.{secret}").write_text(value)
                    (folder / f"acme.{secret}").chmod(0o400)
                environ.setenv("CREDENTIALS_DIRECTORY", str(folder))
                yield {}
            case "environment":
                for secret, value in SECRETS.items():
                    environ.setenv(variable_of(SecretRef("acme", secret)), value)
                yield {"environment": {"allow": True}}
            case "vault":
                bao = stack.enter_context(openbao())
                for secret, value in SECRETS.items():
                    bao.put("acme", secret, value)
                (folder / "token").write_text(bao.token("1h"))
                yield {"vault": {"url": bao.url, "token_file": str(folder / "token")}}
            case "aws":
                aws = stack.enter_context(secrets_manager())
                for secret, value in SECRETS.items():
                    aws.put("acme", secret, value, KmsKeyId=aws.new_key())
                for variable, value in CREDENTIALS.items():
                    environ.setenv(variable, value)
                yield {"aws": {"region": REGION, "endpoint_url": aws.url}}


class SecretSite:
    """A page with a field. `asked` has the queries that it got: there the secrets may be."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.app = Starlette(routes=[Route("/", self._page, methods=["GET", "POST"])])

    async def _page(self, request: Request) -> HTMLResponse:
        self.asked.append(dict(request.query_params))
        return HTMLResponse("<title>shop</title><input id=user><input id=password>")


@asynccontextmanager
async def worker(
    here: DaemonFolder, site_port: int, secrets: Mapping[str, Any]
) -> AsyncIterator[tuple[DaemonProcess, Producer]]:
    async with aclosing(Producer(here.redis.url)) as producer:
        with here.worker(
            pool={"runners": 1, "pages": 2},
            browser=HEADLESS_SHELL,
            egress={"hosts": {"shop.example": f"127.0.0.1:{site_port}"}},
            jobs={"max_retries": 0},
            secrets=secrets,
        ) as daemon:
            yield daemon, producer


def processes(daemon: DaemonProcess) -> list[bytes]:
    """Arguments and environment of every process below the daemon."""
    held = []
    for process in psutil.Process(daemon.pid).children(recursive=True):
        try:
            held += [Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return held


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "modes"),
    [("files", tuple(ENDS)), ("systemd", BRIEF), ("environment", BRIEF), ("vault", BRIEF), ("aws", BRIEF)],
    ids=["files", "systemd", "environment", "vault", "aws"],
)
async def test_a_module_that_sends_its_secrets_everywhere_leaves_them_nowhere(
    name: str, modes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_module(tmp_path / "modules", "test.leaks", LEAKS, ["shop.example"], more_toml=SECRETS_LINE)
    folder = tmp_path / "secrets"
    folder.mkdir()
    site = SecretSite()
    manifest = module / "module.toml"
    manifest.write_text(SECRETS_LINE + manifest.read_text().replace(SECRETS_LINE, ""))
    with backend(name, folder, monkeypatch) as settings:
        async with place(module) as here, served(site.app) as port:
            async with worker(here, port, {"backend": name, "grants": GRANTS, **settings}) as (daemon, producer):
                jobs = [producer.job(mode, "test.leaks", {"mode": mode}) for mode in modes]
                await producer.push(*jobs)
                await producer.collect(len(modes), 200)
                below = processes(daemon)
                shown = [daemon.get(path).content for path in ("/metrics", "/status")]
                assert daemon.terminate() == 0
            here.redis.command("BGREWRITEAOF")
            await asyncio.to_thread(here.redis.command, "SAVE")
            statuses = {job_id: result["status"] for job_id, result in producer.results.items()}
            assert statuses == {mode: ENDS[mode] for mode in modes}, {
                job_id: result["error"] for job_id, result in producer.results.items()
            }
            assert site.asked[0] == SECRETS, "the page itself sent them: the module had the right values"
            artifacts = list((here.folder / "w1" / "artifacts").rglob("*"))
            assert {"trace", "har", "own_trace", "own_har", "page", "forms", "screenshot", "html"} <= {
                artifact["kind"] for result in producer.results.values() for artifact in result["artifacts"]
            }
            places = {
                "results": json.dumps(producer.results, ensure_ascii=False).encode(),
                "log": daemon.log_file.read_bytes(),
                "metrics": shown[0],
                "status": shown[1],
                "processes": b"\0".join(below),
                **{str(file): file.read_bytes() for file in artifacts if file.is_file()},
                **{str(file): file.read_bytes() for file in here.redis.directory.rglob("*") if file.is_file()},
            }
            assert {where: leaks for where, data in places.items() if (leaks := found(data))} == {}
            for kind in ("trace", "har", "own_trace", "own_har", "page", "forms", "html"):
                files = [file for file in artifacts if f"-{kind}-" in file.name]
                assert files, [file.name for file in artifacts]
                without = {file.name: file.read_bytes()[:300] for file in files if not masks_in(file)}
                assert without == {}, "the secrets were in each of them"
            assert b"(secret shop_login)" in places["results"]
            assert b"(secret shop_key)" in places["log"]
            audited = [line for line in daemon.log() if line.get("level") == "audit"]
            assert {(line["secret_name"], line["outcome"], line["job"]) for line in audited} == {
                (secret, "granted", f"acme/{mode}") for secret in SECRETS for mode in modes
            }
            metric = b'pageworker_secret_requests_total{outcome="granted",tenant="other"} '
            assert metric + str(float(len(audited))).encode() in shown[0]


def logged(daemon: DaemonProcess, message: str) -> int:
    """How many lines with this message the daemon's log has."""
    return [line.get("message") for line in daemon.log()].count(message)


async def said(daemon: DaemonProcess, message: str, times: int = 1) -> None:
    """Wait until the daemon's log has `times` lines with this message."""
    await asyncio.to_thread(until, lambda: logged(daemon, message) >= times, f"the log says {message!r}", 60.0, 0.1)


ASKS = """
    value = await helpers.secret(payload["name"])
    if payload.get("again"):
        helpers.log.info("asked once")
    while payload.get("again"):
        # The site tells the module when to end. A job may ask a hundred times.
        await page.goto("http://shop.example/")
        if await page.title() == "enough":
            break
        await asyncio.sleep(0.2)
        value = await helpers.secret(payload["name"])
    return {"value": value}
"""


class AskingSite:
    """A page whose title tells a module whether to ask for its secret again."""

    def __init__(self) -> None:
        self.title = "again"
        self.app = Starlette(routes=[Route("/", self._page)])

    async def _page(self, _: Request) -> HTMLResponse:
        return HTMLResponse(f"<title>{self.title}</title>")


@pytest.mark.timeout(300)
async def test_a_secret_that_is_not_granted_fails_the_job_by_name_and_an_outage_defers_it(tmp_path: Path) -> None:
    """The same worker, first without a right, then with a backend that does not answer, then with all of it."""
    module = write_module(tmp_path / "modules", "test.asks", ASKS, ["shop.example"])
    manifest = module / "module.toml"
    manifest.write_text('secrets = ["shop_login", "bank_login"]\n' + manifest.read_text())
    site = AskingSite()
    with openbao() as bao:
        for secret in ("shop_login", "bank_login", "shop_key"):
            bao.put("acme", secret, f"value-of-{secret}")
        (tmp_path / "token").write_text(bao.token("1h"))
        vault = {"url": bao.url, "token_file": str(tmp_path / "token"), "timeout_seconds": 0.5}
        settings = {"backend": "vault", "vault": vault, "grants": GRANTS, "lease_seconds": 1.0}
        async with place(module) as here, served(site.app) as port, worker(here, port, settings) as (daemon, producer):
            names = ("shop_login", "bank_login", "shop_key")
            await producer.push(*(producer.job(name, "test.asks", {"name": name}) for name in names))
            await producer.collect(3, 120)
            assert producer.results["shop_login"]["status"] == "succeeded"
            assert producer.results["shop_login"]["data"] == {"value": "(secret shop_login)"}
            for name, reason in (
                ("bank_login", "no key of [secrets.grants]"),
                ("shop_key", "`secrets` in module.toml"),
            ):
                result = producer.results[name]
                assert (result["status"], result["error"]["type"]) == ("failed", "secret_denied")
                assert f"the secret {name}: {reason}" in result["error"]["message"]
                assert len(result["attempts"]) == 1
            bao.pause()
            pushed = 0
            while not logged(daemon, "job deferred"):
                # The first ones may get the value within its lease, which no log tells the end of.
                await producer.push(producer.job(f"during-{pushed}", "test.asks", {"name": "shop_login"}))
                pushed += 1
                await asyncio.sleep(0.2)
            bao.resume()
            await producer.collect(3 + pushed, 120)
            deferred = logged(daemon, "job deferred")
            await producer.push(producer.job("midway", "test.asks", {"name": "shop_login", "again": True}))
            await said(daemon, "module: asked once")
            bao.pause()
            await said(daemon, "secret unavailable")
            await said(daemon, "job deferred", deferred + 1)
            site.title = "enough"
            bao.resume()
            await producer.collect(4 + pushed, 120)
            for job_id in ("midway", *(f"during-{number}" for number in range(pushed))):
                result = producer.results[job_id]
                assert result["status"] == "succeeded"
                assert len(result["attempts"]) == 1, f"the outage cost an attempt: {result['attempts']}"
            (reason, *_) = [line["reason"] for line in daemon.log() if line.get("message") == "job deferred"]
            assert reason.startswith("the secret backend gives no value: Vault does not answer")
