"""One table over all commands: what `--json` prints, and which commands work with the worker or Redis away.

tests/cli/test_connect.py has the frozen ones.
"""

import asyncio
import contextlib
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from cli.commands import COMMAND_LINES, valid_json
from cli.test_worker import Scripted
from pw_queue import JobEnd, QueueHarness, open_harness, ticket
from pw_servers import redis_server

from pageworker_profiles.exports import ProfileExport, write_export
from pageworker_sandbox.blockers.rules import released_rules
from pageworker_supervisor.admin.server import Endpoints
from pageworker_supervisor.admin.status import DrainLine
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.json_schema import PRINTED
from pageworker_supervisor.cli.output import CommandExit
from pageworker_supervisor.cli.reference import NEEDS
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.recent_lines import RecentLines

FAILED = JobEnd(
    status="failed",
    result=b'{"job_id":"d","tenant_id":"acme","status":"failed","error":{"type":"timeout","message":"m","retryable":true}}',
    dead_letter=b'{"error":null,"attempts":[]}',
)
BUNDLE, NEXT = "acme.prices-0.1.0.zip", "acme.prices-0.2.0.zip"
SHELF = "--registry shelf --key release.key"
LETTER = "LETTER"
"""Stands for the id of a dead letter."""

# Command, and the rest of its command line. They run in this order, without a worker on this host.
ALONE: tuple[tuple[str, str], ...] = (
    ("submit", "a.b --tenant acme --job-id s"),
    ("jobs", ""),
    ("jobs list", "--all --count-only"),
    ("jobs cancel", "--tenant acme"),
    ("jobs cancel", "acme/q"),
    ("cancel", "acme/q"),
    ("batch open", "acme/b --size 2"),
    ("batch list", "--tenant acme"),
    ("batch show", "acme/b"),
    ("batch retry", "acme/b"),
    ("batch close", "acme/b"),
    ("batch cancel", "acme/b"),
    ("jobs follow", "acme/d"),
    ("jobs show", "acme/d --timeline"),
    ("pause", "tenant acme --reason r"),
    ("pause", ""),
    ("unpause", "tenant acme"),
    ("audit list", ""),
    ("audit verify", ""),
    ("top", "--once"),
    ("tenant list", ""),
    ("tenant show", "acme"),
    ("redis acl", "--new-password"),
    ("tenant acl", "acme --new-password"),
    ("tenant create", "acme concurrency=4 --reason r"),
    ("tenant create-token", "acme --scope viewer"),
    ("tenant rotate-token", "acme"),
    ("tenant list-tokens", "acme"),
    ("tenant pause", "acme --reason r"),
    ("tenant unpause", "acme"),
    ("tenant subscriptions", "acme"),
    ("tenant usage", "acme"),
    ("profile list", ""),
    ("profile show", "acme/main"),
    ("profile quarantine", "acme/main"),
    ("profile export", "acme/main copy.tar"),
    ("profile import", "acme/main main.tar"),
    ("profile reset", "acme/main"),
    ("profile delete", "acme/main"),
    ("scale", "--simulate load.jsonl"),
    ("results", ""),
    ("results", "acme/d"),
    ("results", "--follow --after 0:0-0 --count 1"),
    ("dead list", ""),
    ("dead show", LETTER),
    ("jobs retry", "--tenant acme"),
    ("dead retry", LETTER),
    ("jobs retry", "acme/d"),
    ("dead purge", LETTER),
    ("scale", ""),
    ("scale", "--simulate load.jsonl"),
    ("config set", "pool.runners=3 --reason w"),
    ("config get", "pool.runners"),
    ("config edit", "--reason w"),
    ("config diff", ""),
    ("config unset", "pool.runners --reason w"),
    ("config rollback", "1 --reason w"),
    ("config history", ""),
    ("config check", ""),
    ("config show", ""),
    ("config show", "--origin"),
    ("config validate", "central.conf"),
    ("secrets check", ""),
    ("key new", "release -W"),
    ("key show", "release"),
    ("key import", f"outside {'0a' * 32}"),
    ("key list", ""),
    ("key trusted", ""),
    ("key revoke", "8A2F6D0C51E7B394 --reason r --file trust.toml"),
    ("module lint", "acme.prices"),
    ("module diff", "acme.prices next"),
    ("module pack", "acme.prices"),
    ("module sign", f"{BUNDLE} --key release.key"),
    ("module verify", f"{BUNDLE} --trusted release.pub"),
    ("blockers sign", "rules.json --key release.key"),
    ("blockers verify", "rules.json --trusted release.pub"),
    ("module publish", f"{BUNDLE} {SHELF}"),
    ("module reproduce", f"{BUNDLE} acme.prices"),
    ("module reproduce", f"{BUNDLE} next"),
    ("module pack", "next"),
    ("module publish", f"next --dry-run {SHELF}"),
    ("module publish", f"{NEXT} --sign {SHELF}"),
    ("module channel set", f"acme.prices canary 0.2.0 {SHELF}"),
    ("module rollout", "acme.prices 0.1.0 --channel canary --percent 10 --registry shelf --trusted release.pub"),
    ("module status", "acme.prices --registry shelf --trusted release.pub"),
    ("module rollback", "acme.prices --registry shelf --trusted release.pub"),
    ("module promote", "acme.prices --again --registry shelf --trusted release.pub"),
    ("rollout", ""),
    ("module yank", f"acme.prices 0.1.0 {SHELF}"),
    ("module list", "--registry shelf --trusted release.pub"),
    ("module refresh-index", SHELF),
    ("module serial", ""),
    ("drain", "--fleet --deadline-seconds 1"),
    ("status", "--fleet"),
    ("undrain", "--fleet"),
)
WITH_WORKER = (("status", ""), ("logs", ""), ("drain", ""), ("undrain", ""))
# `redis password` needs the embedded Redis, `profile restore` a snapshot, `profile unlock` a lock, `rollout watch` two
# workers, `tenant revoke-token` a token, `tenant subscribe` and `tenant unsubscribe` a tenant with a secret, the others
# a sandbox: their own tests check what they print.
ELSEWHERE = {
    "doctor",
    "module dev",
    "module run",
    "profile restore",
    "profile unlock",
    "redis password",
    "rollout watch",
    "tenant revoke-token",
    "tenant subscribe",
    "tenant unsubscribe",
}

Printed = list[tuple[str, str, int, str, str]]
"""Command, the rest of its command line, exit code, stdout, stderr."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a module and a file of settings, and a Redis with a queued and a dead-lettered job."""
    folder = tmp_path_factory.mktemp("world")
    with redis_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PAGEWORKER_REDIS__URL", server.url)
        patch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(folder))
        patch.setenv("EDITOR", "sh -c 'echo pool.runners = 4 > $0'")
        (folder / "load.jsonl").write_text('{"at": 0, "service_seconds": 1.5, "jobs": 3}\n')
        (folder / "trust.toml").write_text("")
        state = {"cookies": [{"name": "a", "value": "b", "domain": "x.test", "path": "/"}]}
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "central.conf").write_text("pool.runners = 3\n")
        (folder / "load.jsonl").write_text('{"at": 0, "service_seconds": 1}\n')
        assert run_for(["module", "new", "acme.prices"])[0] == 0
        (folder / "profiles/acme/main/data").mkdir(parents=True)
        head = ProfileExport(tenant_id="acme", profile_id="main", exported_at=0)
        write_export(folder / "main.tar", head, lambda tar: tar.write(bytes(1024)))
        shutil.copytree("acme.prices", "next")
        (folder / "rules.json").write_bytes(released_rules())
        manifest = folder / "next" / "module.toml"
        manifest.write_text(manifest.read_text().replace('"0.1.0"', '"0.2.0"'))

        async def fill(harness: QueueHarness) -> None:
            await harness.producer.enqueue([ticket("d")])
            assert await harness.consumer.finish(await harness.one(), **FAILED)
            await harness.producer.enqueue([ticket("q")])

        async def filled() -> None:
            async with open_harness(server.port) as harness:
                await fill(harness)

        asyncio.run(filled())
        yield folder


@pytest.fixture(scope="module")
def printed(world: Path) -> Printed:
    """What all commands of the tables print with --json."""
    letter = json.loads(run_for(["dead", "list", "--json"])[1])[0]["id"]
    found: Printed = []
    for command, rest in ALONE:
        words = [letter if word == LETTER else word for word in rest.split()]
        found.append((command, rest, *run_for([*command.split(), *words, "--json"])))
    with served(world):
        found += [
            (command, rest, *run_for([*command.split(), *rest.split(), "--json"])) for command, rest in WITH_WORKER
        ]
    return found


def run_for(words: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[None]:
    """A worker's control socket in this folder, in a thread of its own."""
    lines = RecentLines()
    lines.add(20, '{"ts":"2026-11-27T09:00:00.000Z","level":"info","message":"ready","worker_id":"w1"}')
    worker = Scripted(DrainLine(event="waiting", job_id="j", tenant_id="acme"), DrainLine(event="done", left=0))
    ready = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        endpoints = Endpoints.open("127.0.0.1:0", folder, worker, Metrics(), recent_lines=lines)
        stopped = asyncio.Event()
        stop.append((asyncio.get_running_loop(), stopped))
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(endpoints.run())
            ready.set()
            await stopped.wait()
            serving.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop, stopped = stop[0]
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


def test_every_command_with_json_is_in_a_table() -> None:
    assert {command for command, _ in (*ALONE, *WITH_WORKER)} | ELSEWHERE == set(PRINTED)
    needed = {command for command, need in NEEDS.items() if need in ("Redis", "worker")}
    assert set(COMMAND_LINES) == needed


def test_json_is_valid_and_alone_on_stdout(printed: Printed) -> None:
    wrong = []
    for command, rest, code, out, err in printed:
        lines = out.splitlines()
        if not lines:
            wrong.append((command, rest, code, "nothing on stdout", err))
        for line in lines:
            try:
                valid_json(command, line)
            except (ValueError, jsonschema_rs.ValidationError) as mistake:
                wrong.append((command, rest, code, str(mistake), line))
    assert wrong == []


def test_commands_work_while_the_worker_of_this_host_is_away(printed: Printed) -> None:
    failed = [(command, rest, code, err) for command, rest, code, _, err in printed if code > CommandExit.FAILED]
    assert failed == []


@pytest.mark.parametrize("command", [command for command, need in NEEDS.items() if need == "worker"])
def test_a_command_says_that_the_worker_is_away(world: Path, command: str) -> None:
    code, out, err = run_for(COMMAND_LINES[command].split())
    assert (code, out) == (3, "")
    assert "no worker answers on" in err
    assert "need Redis only" in err


@pytest.mark.parametrize("command", [command for command, need in NEEDS.items() if need == "Redis"])
def test_a_command_says_that_redis_is_away(world: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1")
    code, out, err = run_for(COMMAND_LINES[command].split())
    assert (code, out) == (3, "")
    assert "Redis at redis://127.0.0.1:1" in err
    assert "without Redis" in err


def test_the_worker_of_this_host_answers_while_redis_is_away(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1")
    with served(world):
        for command, _ in WITH_WORKER:
            code, out, err = run_for(command.split())
            assert (code, bool(out)) == (0, True), (command, err)
    assert "PAGEWORKER_REDIS__URL" in os.environ
