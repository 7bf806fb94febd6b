"""`workerctl config diff|history|rollback` on a real Redis."""

import json

import pytest
from cli.conftest import OnQueue
from pw_queue.harness import QueueHarness

from pageworker_supervisor.cli.app import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def three(on_queue: OnQueue, capsys: Capture) -> None:
    for number in (1, 2, 3):
        assert run(["config", "set", f"pool.runners={number}", "--reason", f"try {number}", "--who", "me"]) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("three")
def test_the_history_says_who_when_and_why(capsys: Capture) -> None:
    assert run(["config", "history", "--count", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["version"], one["who"], one["why"]) for one in found["versions"]] == [
        (3, "me", "try 3"),
        (2, "me", "try 2"),
    ]
    assert found["versions"][0]["at"].startswith("20")
    assert run(["config", "history"]) == 0
    assert "try 1" in capsys.readouterr().out


@pytest.mark.usefixtures("three")
def test_differences_of_two_versions(capsys: Capture) -> None:
    assert run(["config", "diff"]) == 0
    assert capsys.readouterr().out == "- pool.runners = 2\n+ pool.runners = 3\n"
    assert run(["config", "diff", "0", "1"]) == 0
    assert capsys.readouterr().out == "+ pool.runners = 1\n"
    assert run(["config", "diff", "3", "3"]) == 0
    assert capsys.readouterr().out == "no difference\n"


@pytest.mark.usefixtures("on_queue")
def test_before_the_first_change_there_is_no_difference(capsys: Capture) -> None:
    assert run(["config", "diff"]) == 0
    assert capsys.readouterr().out == "no difference\n"


@pytest.mark.usefixtures("three")
def test_a_rollback_is_a_new_version(capsys: Capture) -> None:
    assert run(["config", "rollback", "1", "--reason", "3 was wrong"]) == 0
    assert "committed: version 4 counts" in capsys.readouterr().out
    assert run(["config", "diff", "1", "4"]) == 0
    assert capsys.readouterr().out == "no difference\n"


@pytest.mark.usefixtures("three")
def test_a_change_of_no_value_makes_no_version(capsys: Capture) -> None:
    assert run(["config", "rollback", "3", "--reason", "by mistake"]) == 0
    assert run(["config", "set", "pool.runners=3", "--reason", "again"]) == 0
    assert capsys.readouterr().out.count("unchanged: version 3 counts") == 2
    assert run(["config", "history", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["versions"][0]["version"] == 3


@pytest.mark.usefixtures("three")
def test_a_rollback_replaces_a_damaged_version(on_queue: OnQueue, capsys: Capture) -> None:
    async def damage(harness: QueueHarness) -> None:
        await harness.client.hset("pw:{0}:config:meta", "document", "nonsense")

    on_queue(damage)
    assert run(["config", "rollback", "3", "--reason", "3 is damaged"]) == 0
    assert "committed: version 4 counts" in capsys.readouterr().out


@pytest.mark.usefixtures("three")
def test_a_version_that_is_not_there_is_named(capsys: Capture) -> None:
    assert run(["config", "rollback", "9", "--reason", "x"]) == 1
    assert "the history has no version 9" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-5", "99999999999999999999"])
def test_a_count_has_a_range(count: str, capsys: Capture) -> None:
    assert run(["config", "history", "--count", count]) == 2
