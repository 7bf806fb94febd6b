"""A worker that cannot start is started a few times, not for ever, and its log says why."""

from pathlib import Path

import pytest
from pw_supervisord import supervisord, with_config

MISTAKE = "pool.runers"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "pageworker.toml"
    file.write_text("[pool]\nruners = 4\n")
    return file


def test_a_wrong_configuration_is_given_up_and_never_up(config: Path) -> None:
    with supervisord("pageworker.conf", overrides=with_config(config, startretries="1", startsecs="3600")) as running:
        running.wait_for("FATAL")
        assert "FATAL" in running.control("status", "pageworker", code=3)
        why = running.output("pageworker.err")
    assert running.states() == ["BACKOFF", "BACKOFF", "FATAL"]
    assert why.count(MISTAKE) == 2


def test_a_refusal_after_a_slow_start_is_not_repeated(config: Path) -> None:
    """`startsecs` is over by then: only the exit code says that another start does not help."""
    with supervisord("pageworker.conf", overrides=with_config(config, startsecs="0")) as running:
        line = running.wait_for("EXITED")
        # supervisord would start it again in its next round, before it answers.
        assert "EXITED" in running.control("status", "pageworker", code=3)
    assert line["message"] == "process ended by itself: supervisord does not start it again"
    assert running.states() == ["RUNNING", "EXITED"]
