"""`workerctl module run`: a module from its folder, once, in a real sandbox and without Redis."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli.commands import valid_json
from pw_daemon.processes import below
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_demo.toml import toml_text
from pageworker_supervisor.contract.result import Result

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

WORKERCTL = str(Path(sys.executable).with_name("workerctl"))
MANIFEST = """\
name = "acme.try"
version = "0.3.0"
entrypoint = "acme_try:handler"
sdk = ">=1,<2"
egress = ["shop.example"]
tenants = ["acme", "default"]
secrets = ["shop_login"]

[input]
type = "object"
required = ["do"]
[input.properties.do]
type = "string"
"""
CODE = """\
import asyncio
import os
import socket
from pathlib import Path

from pageworker import Failed


async def handler(page, payload, helpers, context):
    helpers.log.info("it begins", answer=42)
    return await globals()[payload["do"]](page, payload, helpers, context)


async def visit(page, payload, helpers, context):
    print("a printed line")
    await page.goto(payload.get("url", "http://shop.example/"))
    await helpers.artifact("note", "kept", "text/plain")
    return {"title": await page.title(), "tenant": context.tenant_id, "cookies": await page.context.cookies()}


async def look_at_cookies(page, payload, helpers, context):
    return {"cookies": await page.context.cookies("http://shop.example/")}


async def look_around(page, payload, helpers, context):
    file = await helpers.file("orders.csv")
    found = {"uid": os.getuid(), "file": (await file.read()).decode()}
    for name, act in {
        "processes": lambda: os.listdir("/proc"),
        "passwd": lambda: Path("/etc/passwd").read_text(),
        "home": lambda: os.listdir("/home"),
        "socket": lambda: socket.create_connection(("127.0.0.1", 6379), 1),
        "fork": os.fork,
    }.items():
        try:
            found[name] = repr(act())
        except OSError as error:
            found[name] = type(error).__name__
    return found


async def ask(page, payload, helpers, context):
    value = await helpers.secret("shop_login")
    return {"value": value, "length": len(value)}


async def fail(page, payload, helpers, context):
    raise Failed("sold out", type="sold_out")


async def stumble(page, payload, helpers, context):
    return {"x": 1 / 0}


async def wait(page, payload, helpers, context):
    await asyncio.Event().wait()


async def die(page, payload, helpers, context):
    os._exit(3)
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "acme.try"
    (folder / "acme_try").mkdir(parents=True)
    (folder / "module.toml").write_text(MANIFEST)
    (folder / "acme_try" / "__init__.py").write_text(CODE)
    return folder


@asynccontextmanager
async def shop(folder: Path, **sections: Any) -> AsyncIterator[Path]:
    """A site that sets a cookie, and the configuration by which runners reach it as shop.example and other.example."""

    async def page(request: Request) -> HTMLResponse:
        response = HTMLResponse("<title>the shop</title>")
        response.set_cookie("seen", "before", max_age=86400)
        return response

    async with served(Starlette(routes=[Route("/", page)])) as port:
        hosts = dict.fromkeys(("shop.example", "other.example"), f"127.0.0.1:{port}")
        config = folder / "pageworker.toml"
        given = {"egress": {"hosts": hosts}, "worker": {"data_dir": "data"}, **sections}
        config.write_text(toml_text(given))
        yield config


async def run(folder: Path, module: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, result and stderr. The working directory and the temporary folder are below `folder`."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o711)
    process = await asyncio.create_subprocess_exec(
        *(WORKERCTL, "module", "run", str(module), *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    output, errors = await process.communicate()
    assert list(temporary.iterdir()) == [], "nothing is left behind"
    assert process.returncode is not None
    return process.returncode, valid_json("module run", output.decode()) if output else {}, errors.decode()


def do(name: str, **more: Any) -> str:
    return f"--payload={json.dumps({'do': name, **more})}"


async def test_a_module_runs_once_and_prints_its_result(tmp_path: Path, module: Path) -> None:
    async with shop(tmp_path) as config:
        code, result, errors = await run(
            tmp_path, module, do("visit"), "--tenant", "acme", "--config", str(config), "--artifacts", "kept"
        )
    assert (code, result["status"], result["data"]["title"], result["data"]["tenant"]) == (
        0,
        "succeeded",
        "the shop",
        "acme",
    )
    assert msgspec.json.decode(json.dumps(result), type=Result).module_version == "0.3.0"
    assert "INFO    it begins  answer=42" in errors
    assert "a printed line" in errors
    assert len(errors.splitlines()) == 2, "of the worker's own lines only warnings"
    (artifact,) = result["artifacts"]
    file = Path(artifact["url"].removeprefix("file://"))
    assert file.is_relative_to(tmp_path / "kept")
    assert file.read_text() == "kept"
    assert (module / "module.toml").read_text() == MANIFEST
    assert not (tmp_path / "data").exists(), "a run without a profile needs no data folder"


async def test_it_runs_in_the_sandbox_of_a_worker(tmp_path: Path, module: Path) -> None:
    (tmp_path / "list.csv").write_text("1;2")
    attach = ("--attach", f"orders.csv={tmp_path}/list.csv")
    code, result, errors = await run(tmp_path, module, do("look_around"), *attach)
    assert code == 0, errors
    found = result["data"]
    assert found["file"] == "1;2"
    assert found["uid"] != 0
    assert {found[name] for name in ("processes", "passwd", "home", "socket", "fork")} <= {
        "FileNotFoundError",
        "PermissionError",
        "BlockingIOError",
        "OSError",
    }


@pytest.mark.parametrize(
    ("url", "tenants"),
    [("http://other.example/", {}), ("http://shop.example/", {"acme": {"egress": ["else.example"]}})],
    ids=["the module's hosts", "the tenant's hosts"],
)
async def test_the_egress_policy_is_that_of_a_worker(
    tmp_path: Path, module: Path, url: str, tenants: dict[str, Any]
) -> None:
    async with shop(tmp_path, **({"tenants": tenants} if tenants else {})) as config:
        code, result, errors = await run(
            tmp_path, module, do("visit", url=url), "--tenant", "acme", "--config", str(config)
        )
    assert (code, result["status"]) == (1, "failed") or result["data"]["title"] != "the shop"
    assert "egress refused" in errors
    assert url.split("/")[2] in errors


@pytest.mark.parametrize(
    ("what", "words", "status", "error"),
    [
        ("fail", (), "failed", "sold_out"),
        ("stumble", (), "failed", "handler_error"),
        ("wait", ("--timeout", "0.5"), "timed_out", "timeout"),
        ("die", (), "dead", "poison"),
    ],
)
async def test_what_does_not_succeed_ends_with_1_and_its_result(
    tmp_path: Path, module: Path, what: str, words: tuple[str, ...], status: str, error: str
) -> None:
    code, result, errors = await run(tmp_path, module, do(what), *words)
    assert (code, result["status"], result["error"]["type"]) == (1, status, error)
    if what == "stumble":
        assert (
            result["error"]["detail"]["trace"][-1]
            == f"acme_try/__init__.py:{CODE[: CODE.index('1 / 0')].count(chr(10)) + 1} in stumble"
        )
    if what == "die":
        assert "runner died" in errors
        assert [one["outcome"] for one in result["attempts"]] == ["lost"]
        assert "The last time: the runner" in result["error"]["message"]


async def test_a_tenant_that_may_not_run_the_module_is_rejected(tmp_path: Path, module: Path) -> None:
    code, result, _ = await run(tmp_path, module, do("fail"), "--tenant", "rival")
    assert (code, result["status"], result["error"]["type"]) == (1, "rejected", "tenant_not_allowed")


async def test_secrets_are_those_that_the_configuration_grants(tmp_path: Path, module: Path) -> None:
    stored = tmp_path / "secrets" / "acme" / "shop_login"
    stored.parent.mkdir(parents=True)
    stored.touch(0o600)
    stored.write_text("correct-horse")
    grants = {"shop_login": {"tenants": ["acme"], "modules": ["acme.*"]}}
    secrets = {"backend": "files", "files": {"folder": "secrets"}, "grants": grants}
    async with shop(tmp_path, secrets=secrets) as config:
        options = ("--config", str(config), do("ask"))
        code, result, errors = await run(tmp_path, module, *options, "--tenant", "acme")
        assert (code, result["data"]) == (0, {"value": "(secret shop_login)", "length": 13})
        assert "secret granted" in errors
        assert "correct-horse" not in errors
        code, result, _ = await run(tmp_path, module, *options, "--tenant", "default")
        assert (code, result["error"]["type"]) == (1, "secret_denied")


async def test_a_profile_is_kept_for_the_next_run(tmp_path: Path, module: Path) -> None:
    async with shop(tmp_path) as config:
        words = (do("visit"), "--profile", "buyer", "--config", str(config))
        _, first, errors = await run(tmp_path, module, *words)
        assert first["status"] == "succeeded", errors
        code, second, errors = await run(tmp_path, module, do("look_at_cookies"), *words[1:])
    assert code == 0, errors
    assert [one["name"] for one in second["data"]["cookies"]] == ["seen"]
    assert not (tmp_path / "data" / "profiles").exists(), "the profiles of a worker are others"


@pytest.mark.parametrize(
    ("change", "words", "told"),
    [
        (lambda module: None, ('--payload={"do": 1}',), "--payload:1: `payload.do`: is not of type"),
        (
            lambda module: (module / "p.json").write_text('{\n"dp": ""}'),
            ("--payload", "@acme.try/p.json"),
            "acme.try/p.json:1: `payload.do`",
        ),
        (
            lambda module: (module / "input.example.json").write_text("{\n\n"),
            (),
            "input.example.json:3: the payload is no JSON",
        ),
        (
            lambda module: (module / "acme_try/x.py").write_text("\n\ndef f(:\n"),
            (),
            "acme_try/x.py:3: found invalid syntax",
        ),
        (
            lambda module: (module / "module.toml").write_text(MANIFEST.replace("handler", "handlr")),
            (),
            "module.toml:3: `entrypoint`: found acme_try:handlr, expected a function handlr in acme_try/__init__.py",
        ),
        (lambda module: (module / "module.toml").unlink(), (), "workerctl module new"),
        (lambda module: None, ('--payload={"do": "fail"}', "--tenant", "A"), "tenant_id"),
    ],
)
async def test_a_mistake_is_told_with_file_and_line(
    tmp_path: Path, module: Path, change: Callable[[Path], object], words: tuple[str, ...], told: str
) -> None:
    change(module)
    code, result, errors = await run(tmp_path, module, *words)
    assert (code, result) == (1, {})
    assert told in errors


def runs(pid: int) -> bool:
    """Whether it exists, and is more than a zombie that init has not seen yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_run_that_is_interrupted_leaves_nothing(tmp_path: Path, module: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = await asyncio.create_subprocess_exec(
            *(WORKERCTL, "module", "run", str(module), do("wait")),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        assert process.stderr is not None
        async for line in process.stderr:
            if b"it begins" in line:
                break
        started = below(process.pid)
        assert any("chrom" in command for command in started.values())
        assert not any("redis" in command for command in started.values())
        process.send_signal(number)
        assert (await process.stderr.read(), await process.wait()) == (b"", 130)
        assert {pid: command for pid, command in started.items() if runs(pid)} == {}
        assert list(tmp_path.glob("pageworker-run-*")) == []
