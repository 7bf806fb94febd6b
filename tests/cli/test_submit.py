"""`workerctl submit` on a real queue."""

import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run


def test_submit_pushes_what_a_producer_would(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["submit", "shop.product", "--tenant", "acme", "--job-id", "17", "--payload", '{"a": 1}', "--profile", "p"]
    assert run([*words, "--priority", "high"]) == 0
    assert capsys.readouterr().out == "acme/17\n"
    assert json.loads(live_redis.command("LPOP", "pw:inbox")) == {
        "job_id": "17",
        "tenant_id": "acme",
        "endpoint_module": "shop.product",
        "payload": {"a": 1},
        "priority": "high",
        "profile_id": "p",
    }


def test_a_whole_job_comes_from_a_file(
    on_queue: OnQueue, live_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '{"job_id": "18", "tenant_id": "acme", "endpoint_module": "m"}'
    (tmp_path / "job.json").write_text(text)
    assert run(["submit", "--file", str(tmp_path / "job.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"job_id": "18", "tenant_id": "acme"}
    assert live_redis.command("LPOP", "pw:inbox") == text.encode()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "Name a module"),
        (["m", "--payload", "{"], "--payload is not valid JSON"),
        (["m", "--payload", "[]"], "`payload`: expected an object"),
        (["M"], "`endpoint_module`"),
        (["--file", "/nope"], "No such file"),
        (["m", "--attach", "../a=x"], "write NAME=PATH"),
        (["m", "--attach", "a=/nope"], "No such file"),
    ],
)
def test_an_invalid_job_is_not_pushed(
    on_queue: OnQueue, live_redis: RedisServer, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["submit", *words]) == 2
    assert error in capsys.readouterr().err
    assert live_redis.command("EXISTS", "pw:inbox") == 0


@pytest.mark.parametrize("option", ["--wait-seconds", "--timeout-seconds"])  # the second one is the old name
def test_no_result_in_time_ends_with_5(on_queue: OnQueue, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", "m", "--tenant", "acme", "--wait", option, "0.01"]) == 5
    assert "workerctl jobs --tenant acme" in capsys.readouterr().err


def test_a_closed_common_inbox_is_not_used(
    on_queue: OnQueue, live_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "pageworker.toml"
    config.write_text("[ingress]\nrequire_origin = true\n[tenants.acme]\n")
    assert run(["submit", "m", "--tenant", "acme", "--job-id", "1", "--config", str(config)]) == 0
    assert live_redis.command("LLEN", "pw:inbox") == 0
    assert json.loads(live_redis.command("LPOP", "pw:inbox:acme"))["job_id"] == "1"
    assert run(["submit", "m", "--tenant", "rival", "--job-id", "1", "--config", str(config)]) == 4
    assert "tenant rival has no inbox" in capsys.readouterr().err


def test_a_file_goes_along_as_an_upload(
    on_queue: OnQueue, live_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF")
    config = tmp_path / "pageworker.toml"
    config.write_text(f'[worker]\ndata_dir = "{tmp_path}"\n')
    words = ["submit", "m", "--tenant", "acme", "--attach", f"claim.pdf={tmp_path}/scan.pdf"]
    assert run([*words, "--config", str(config)]) == 0
    (file,) = json.loads(live_redis.command("LPOP", "pw:inbox"))["files"]
    assert (tmp_path / "files" / "acme" / file["file_id"]).read_bytes().endswith(b"\n%PDF")
    assert file["name"] == "claim.pdf"
    (tmp_path / "files").rename(tmp_path / "moved")
    (tmp_path / "files").write_bytes(b"")
    assert run([*words, "--config", str(config)]) == 1
    assert "the files were not stored" in capsys.readouterr().err
