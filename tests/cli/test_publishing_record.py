"""What publishers change is in the audit log, if there is one; and nothing changes without its record."""

import asyncio
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import open_redis_client

BUNDLE = "acme.prices-0.1.0.zip"
SHELF = ["--registry", "shelf", "--key", "release.key", "--json"]
PUBLISH = ["module", "publish", BUNDLE, "--sign", *SHELF]
STREAM = "pw:{0}:audit"
OTHER_USER = 65534


@pytest.fixture(autouse=True)
def _bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed bundle and a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))
    for line in ("key new release -W", "module new acme.prices", "module pack acme.prices"):
        assert run(line.split()) == 0


async def ready(harness: QueueHarness) -> None:
    assert await harness.producer.enqueue([ticket("j1")])


@pytest.fixture
def log(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> OnQueue:
    """A real Redis in the configuration, with the queue's functions: a command has a second for its record."""
    on_queue(ready)
    capsys.readouterr()
    return on_queue


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["audit", "list", "--json"]) == 0
    return [line["record"] for line in json.loads(capsys.readouterr().out)]


def nothing_is_published() -> bool:
    return not Path("shelf").exists() and not Path(f"{BUNDLE}.minisig").exists()


@pytest.mark.usefixtures("log")
def test_each_change_is_recorded_with_who_what_why_and_its_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*PUBLISH, "--reason", "new prices"]) == 0
    assert capsys.readouterr().err == ""
    before, after = records(capsys)
    assert (before["kind"], before["action"], before["reason"]) == ("publisher", "module.publish", "new prices")
    assert (before["target"], before["outcome"]) == ("acme.prices@0.1.0 as stable", "requested")
    assert before["detail"]["registry"] == str(tmp_path / "shelf")
    assert len(before["detail"]["sha256"]) == 64
    assert run(["key", "show", "release", "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["id"]
    assert before["detail"]["key"] == key
    assert after["of"] == before["seq"]
    assert after["outcome"].startswith("done: index ")
    for line in ("channel set acme.prices canary 0.1.0", "refresh-index"):
        assert run(["module", *line.split(), *SHELF]) == 0
    changed = records(capsys)[2:]
    assert [(one["action"], one["target"]) for one in changed[::2]] == [
        ("module.channel.set", "acme.prices@0.1.0 as canary"),
        ("module.refresh-index", str(tmp_path / "shelf")),
    ]
    assert {one["outcome"].partition(" index")[0] for one in changed[1::2]} == {"done:"}
    assert {one["detail"]["key"] for one in changed[::2]} == {key}
    assert run(["audit", "verify"]) == 0


@pytest.mark.usefixtures("log")
def test_changes_of_keys_are_recorded_as_an_operators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trust.toml").write_text("")
    assert run(["key", "revoke", "0A" * 8, "--reason", "stolen", "--file", "trust.toml"]) == 0
    assert run(["key", "import", "outside", "0a" * 32, "--reason", "from the HSM"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["key", "revoke", "0A" * 8, "--reason", "again", "--file", "trust.toml"]) == 4
    assert run(["key", "import", "outside", "0a" * 32]) == 4
    revoked, _, imported, _, again, refused = records(capsys)
    assert (revoked["kind"], revoked["action"], revoked["target"]) == ("operator", "key.revoke", "0A" * 8)
    assert (revoked["reason"], revoked["detail"]) == ("stolen", {"file": str(tmp_path / "trust.toml")})
    assert (imported["action"], imported["reason"]) == ("key.import", "from the HSM")
    assert (again["action"], refused["outcome"].partition(": ")[0]) == ("key.import", "failed")


@pytest.mark.parametrize("command", ["revoke 0A0A0A0A0A0A0A0A --reason r --file trust.toml", f"import new {'0a' * 32}"])
def test_a_key_is_not_changed_without_its_record(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trust.toml").write_text("")
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1/0")
    assert run(["key", *command.split()]) == 3
    assert (tmp_path / "trust.toml").read_text() == ""
    assert not (tmp_path / "new.pub").exists()
    monkeypatch.delenv("PAGEWORKER_REDIS__URL")
    capsys.readouterr()
    assert run(["key", *command.split()]) == 0
    assert "The audit log has no record of this" in capsys.readouterr().err


@pytest.mark.usefixtures("log")
def test_a_refused_change_has_its_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PUBLISH) == 0
    assert run(["module", "yank", "acme.prices", "0.1.0", *SHELF, "--reason", "wrong prices"]) == 4
    before, after = records(capsys)[2:]
    assert (before["action"], before["target"], before["reason"]) == (
        "module.yank",
        "acme.prices@0.1.0",
        "wrong prices",
    )
    assert after["outcome"].startswith("failed: ")
    assert "RegistryRefused" not in after["outcome"]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("command", ["refresh-index", "yank acme.prices 0.1.0", "channel set acme.prices canary 0.1.0"])
def test_without_an_audit_key_nothing_is_changed(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PAGEWORKER_AUDIT__KEY_FILE", str(tmp_path / "nope" / "audit.key"))
        assert run(PUBLISH) == 4
        assert "nothing is changed: there is no audit key" in capsys.readouterr().err
        assert nothing_is_published()
    assert run(PUBLISH) == 0
    index = Path("shelf/index.json").read_bytes()
    monkeypatch.setenv("PAGEWORKER_AUDIT__KEY_FILE", str(tmp_path / "nope" / "audit.key"))
    assert run(["module", *command.split(), *SHELF]) == 4
    assert Path("shelf/index.json").read_bytes() == index


@pytest.mark.parametrize("rules", [["~*", "+@read", "+ping"], ["-@all"], ["resetpass", ">other"]])
@pytest.mark.usefixtures("log")
def test_without_the_right_to_record_nothing_is_changed(
    rules: list[str], live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live_redis.command("ACL", "SETUSER", "reader", "on", ">pass", *rules)
    try:
        monkeypatch.setenv("PAGEWORKER_REDIS__URL", f"redis://reader:pass@127.0.0.1:{live_redis.port}/0")
        assert run(PUBLISH) == 4
    finally:
        live_redis.command("ACL", "DELUSER", "reader")
    assert "nothing is changed: the audit log cannot be written" in capsys.readouterr().err
    assert nothing_is_published()
    assert live_redis.command("EXISTS", STREAM) == 0


def test_while_redis_is_away_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1/0")
    assert run(PUBLISH) == 3
    assert "Redis at redis://127.0.0.1:1/0" in capsys.readouterr().err
    assert nothing_is_published()


def test_without_redis_the_command_says_that_nothing_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(PUBLISH) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["version"] == "0.1.0"
    assert "no record of this: redis.url is not set, and no worker runs a Redis in" in printed.err
    assert not (tmp_path / "audit.key").exists()


@pytest.mark.redis
async def test_a_redis_that_a_worker_runs_has_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_redis_client(RedisSettings(port=0), tmp_path) as redis_client:
        capsys.readouterr()
        assert await asyncio.to_thread(run, PUBLISH) == 0
        assert capsys.readouterr().err == ""
        entries = await redis_client.send("XRANGE", STREAM, "-", "+", key=STREAM)
        assert str(entries).count("module.publish") == 2
    assert await asyncio.to_thread(run, ["module", "refresh-index", *SHELF]) == 0
    assert "no worker runs a Redis in" in capsys.readouterr().err


@contextmanager
def another_user() -> Iterator[None]:
    """No right to enter folders of root. The process has to be root's."""
    os.seteuid(OTHER_USER)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def passable(folders: Iterable[Path]) -> Iterator[None]:
    """Others may pass through these folders. Some may be those of this machine, so each gets its mode back."""
    with ExitStack() as undo:
        for folder in folders:
            mode = stat.S_IMODE(folder.stat().st_mode)
            if not mode & stat.S_IXOTH:
                undo.callback(folder.chmod, mode)
                folder.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)
        yield


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user id")
def test_who_may_not_use_the_redis_of_the_worker_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "redis").mkdir(mode=0o700)
    Path("release.key").chmod(0o644)
    with passable([tmp_path, *tmp_path.parents]), another_user():
        assert run(PUBLISH) == 4
    assert "nothing is changed: only root and the user of the worker" in capsys.readouterr().err
    assert nothing_is_published()
