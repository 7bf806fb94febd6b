"""Blocked requests from the settings, module.toml and a job, through a whole worker."""

import json
from collections.abc import Iterator
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_servers.pages import threaded

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(300)]

LOOK = """
await page.goto("http://localhost/")
load = "src => new Promise(done => { const i = new Image(); i.onload = i.onerror = e => done(e.type); i.src = src })"
return {
    "picture": await page.evaluate(load, "/picture.svg"),
    "tracked": await page.evaluate("fetch('http://track.localhost/', {mode: 'no-cors'}).then(() => 1, () => 0)"),
    "runner": context.runner_id,
}
"""


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        picture = self.path.endswith(".svg")
        body = b"<svg xmlns='http://www.w3.org/2000/svg'/>" if picture else b"<link rel=icon href='data:,'>"
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml" if picture else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[int]:
    """A port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    with threaded(server) as port:
        yield port


def job(job_id: str, module: str, **fields: Any) -> str:
    return json.dumps({"job_id": job_id, "tenant_id": "acme", "endpoint_module": module, "max_retries": 0, **fields})


async def test_a_tenants_default_is_replaced_and_what_was_blocked_is_counted(tmp_path: Path, site: int) -> None:
    hosts = ["localhost", "track.localhost"]
    modules = (
        write_module(tmp_path, "look.plain", LOOK, hosts, {"job_may_set": ["block", "block_hosts"]}),
        write_module(tmp_path, "look.all", LOOK, hosts, {"block": []}),
    )
    settings: dict[str, Any] = {
        "browser": HEADLESS_SHELL,
        "pool": {"runners": 3, "pages": 1},
        "egress": {"hosts": dict.fromkeys(hosts, f"127.0.0.1:{site}")},
        "tenants": {"acme": {"block": ["image"], "block_hosts": ["track.*"]}},
    }
    async with place(*modules) as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(**settings) as worker:
            jobs = (
                job("default-1", "look.plain"),
                job("module-1", "look.all"),
                job("job-1", "look.plain", page={"block": [], "block_hosts": []}),
                job("default-2", "look.plain"),
                job("wrong-1", "look.plain", page={"block": ["images"]}),
            )
            for answered, text in enumerate(jobs, 1):
                await producer.push(text)
                await producer.collect(answered, 60)
            metrics = worker.get("/metrics").text
        lines = [json.loads(line) for line in worker.log_file.read_text().splitlines() if "requests blocked" in line]
    looks = {name: result["data"] for name, result in producer.results.items() if result["status"] == "succeeded"}
    seen = {name: (look["picture"], look["tracked"]) for name, look in looks.items()}
    assert seen == {
        "default-1": ("error", 0),
        "default-2": ("error", 0),
        "module-1": ("load", 0),
        "job-1": ("load", 1),
    }
    assert looks["default-1"]["runner"] == looks["default-2"]["runner"], "one warm runner"
    assert len({look["runner"] for look in looks.values()}) == 3
    assert producer.results["wrong-1"]["error"]["detail"]["field"] == "page.block"
    assert 'did you mean "image"' in json.dumps(producer.results["wrong-1"]["error"]).replace('\\"', '"')
    counted = {line["job"]: {key: line[key] for key in ("image", "host") if key in line} for line in lines}
    assert counted == {
        "acme/default-1": {"image": 1, "host": 1},
        "acme/default-2": {"image": 1, "host": 1},
        "acme/module-1": {"host": 1},
    }
    assert 'pageworker_requests_blocked_total{tenant="acme",type="image"} 2.0' in metrics
    assert 'pageworker_requests_blocked_total{tenant="acme",type="host"} 3.0' in metrics
