"""`workerctl results --follow` on a real Redis: new results of all shards, and on from where it stopped."""

import json
import threading
from collections.abc import Callable

import pytest
from cli.conftest import OnQueue
from pw_servers import RedisServer

from pageworker_supervisor.cli import results_follow
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.results_follow import ResultsPosition

Add = Callable[..., str]


@pytest.fixture
def add(on_queue: OnQueue, live_redis: RedisServer) -> Add:
    """Adds a result to the stream of a shard, and returns the id of the entry."""

    def added(job_id: str, tenant: str = "acme", shard: int = 0) -> str:
        text = json.dumps({"job_id": job_id, "tenant_id": tenant, "endpoint_module": "m", "status": "succeeded"})
        entry: bytes = live_redis.command("XADD", f"pw:{{{shard}}}:results", "*", "result", text)
        return entry.decode()

    return added


def test_what_came_meanwhile_is_printed_first(add: Add, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = (add(job_id) for job_id in ("j1", "j2", "j3"))
    assert run(["results", "--follow", "--after", f"0:{first}", "--count", "2", "--json"]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [(line["after"], line["result"]["job_id"]) for line in lines] == [
        (f"0:{second}", "j2"),
        (f"0:{third}", "j3"),
    ]
    assert f"Go on with --after '0:{third}'" in printed.err
    assert "may be missing" not in printed.err


def test_without_after_only_new_results_are_printed(
    add: Add, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add("old")
    ready = results_follow._start

    async def started(*args: object) -> ResultsPosition:
        position = await ready(*args)  # type: ignore[arg-type]  # passed on as it came
        adding.start()
        return position

    adding = threading.Thread(target=add, args=("new",))
    monkeypatch.setattr(results_follow, "_start", started)
    assert run(["results", "--follow", "--count", "1"]) == 0
    adding.join()
    assert capsys.readouterr().out == "acme/new  m  succeeded  -\n"


def test_results_of_all_shards_are_followed_and_each_has_its_place(
    add: Add, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__SHARDS", "2")
    entries = {f"j{shard}": (shard, add(f"j{shard}", shard=shard)) for shard in (0, 1)}
    assert run(["results", "--follow", "--after", "0:0-0,1:0-0", "--count", "2", "--json"]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert {line["result"]["job_id"] for line in lines} == set(entries)
    whole = ",".join(f"{shard}:{entry}" for shard, entry in entries.values())
    assert lines[-1]["after"] == whole
    assert whole in printed.err


def test_other_tenants_and_other_texts_are_left_out(
    add: Add, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    add("j1", "b")
    live_redis.command("XADD", "pw:{0}:results", "*", "other", "x")
    live_redis.command("XADD", "pw:{0}:results", "*", "result", "no JSON")
    add("j2")
    assert run(["results", "--follow", "--after", "0:0-0", "--tenant", "acme", "--count", "1"]) == 0
    assert capsys.readouterr().out == "acme/j2  m  succeeded  -\n"


def test_a_gap_is_reported(add: Add, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    first, _, kept = (add(job_id) for job_id in ("j1", "j2", "j3"))
    live_redis.command("XTRIM", "pw:{0}:results", "MAXLEN", 1)
    assert run(["results", "--follow", "--after", f"0:{first}", "--count", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("acme/j3")
    assert f"Results after {first} of shard 0 may be missing: the oldest one that is kept is {kept}." in printed.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--follow --after nonsense", "no position in the results"),
        ("--after 0:1-1", "--after needs --follow"),
        ("acme/1 --follow", "workerctl jobs follow acme/1"),
        ("--count 0", "--count"),
    ],
)
def test_wrong_usage(add: Add, words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["results", *words.split()]) == CommandExit.USAGE
    assert told in capsys.readouterr().err


def test_a_position_is_read_as_it_is_written() -> None:
    position = ResultsPosition({1: "5-0"}).behind(0, "17-3")
    assert str(position) == "0:17-3,1:5-0"
    assert ResultsPosition.parse(str(position), 2) == position
    for text in ("", "0:", "0:1", "0:a-b", "2:1-1", "0:1-1,", "x:1-1", "0:1-1-1", "0:" + "9" * 30 + "-0"):
        with pytest.raises(CommandError):
            ResultsPosition.parse(text, 2)
