"""`workerctl dead` on a real queue."""

import io
import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_queue import JobEnd, QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run

FAILED = JobEnd(status="failed", result=b'{"status":"failed"}', dead_letter=b'{"error":"boom"}')


@pytest.fixture
def ids(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Three dead-lettered jobs of acme and one of b, as `dead list --ids` prints them."""

    async def fail(harness: QueueHarness) -> None:
        for number, tenant in enumerate(("acme", "acme", "acme", "b")):
            await harness.producer.enqueue([ticket(f"j{number}", tenant)])
            assert await harness.consumer.finish(await harness.one(), **FAILED)

    on_queue(fail)
    assert run(["dead", "list", "--ids"]) == 0
    return capsys.readouterr().out.split()


def test_list_shows_newest_first_and_can_be_limited(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert len(ids) == 4
    assert run(["dead", "list", "--json", "--tenant", "acme", "--count", "2"]) == 0
    assert [letter["job_id"] for letter in json.loads(capsys.readouterr().out)] == ["j2", "j1"]
    assert run(["dead", "list"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "JOB", "REASON"]
    assert first.split()[:2] == [ids[0], "b/j3"]


def test_show_prints_the_job_as_it_was_pushed(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dead", "show", ids[0], "--json"]) == 0
    assert json.loads(json.loads(capsys.readouterr().out)["job"])["tenant_id"] == "b"
    assert run(["dead", "show", "0-1-0"]) == 1
    assert "there is no dead letter `0-1-0`" in capsys.readouterr().err


def test_purge_deletes_exactly_the_named_ones(
    ids: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.txt").write_text("\n".join(ids[1:3]))
    assert run(["dead", "purge", ids[0], "--ids-from", str(tmp_path / "ids.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"purged": 3}
    assert run(["dead", "list", "--ids"]) == 0
    assert capsys.readouterr().out.split() == ids[3:]


def test_retry_queues_the_named_ones_and_says_what_failed(
    ids: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(ids[3]))
    assert run(["dead", "retry", "--ids-from", "-", "--module", "shop.product@1.0.0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {ids[3]: "queued"}
    assert run(["dead", "retry", ids[3], ids[2], "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {ids[3]: "gone", ids[2]: "queued"}


@pytest.mark.parametrize("command", ["retry", "purge"])
def test_no_id_is_wrong_usage(
    command: str, on_queue: OnQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dead", command]) == 2
    assert "Name at least one dead-letter id" in capsys.readouterr().err
    assert run(["dead", command, "--ids-from", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_change_that_makes_no_valid_job_is_refused(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dead", "retry", ids[0], "--payload", "[]"]) == 2
    assert "payload" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["dead", "purge", "0-1-\udcff"],
        ["cancel", "acme/1", "--reason", "\udcff"],
        ["drain", "--tag", "\udcff"],
    ],
)
def test_bytes_that_are_not_utf_8_are_named(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(words) == 2
    assert "bytes that are not UTF-8" in capsys.readouterr().err
    assert live_redis.command("EXISTS", "pw:{0}:audit", "pw:{0}:drains") == 0


def test_an_id_that_no_letter_can_have_is_named(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dead", "show", "bogus"]) == 1
    assert "there is no dead letter `bogus`" in capsys.readouterr().err
    assert run(["dead", "retry", "bogus"]) == 1
    assert "gone" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["dead", "list"], ["audit", "list"], ["jobs", "list"]])
def test_a_list_has_at_least_one_row(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert run([*command, "--count", "0"]) == 2
    assert "Must be >= 1" in capsys.readouterr().err
