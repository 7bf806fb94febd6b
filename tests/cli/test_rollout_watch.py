"""`workerctl rollout watch`: wrong options, and a Redis that is away. tests/worker has the one with workers."""

from pathlib import Path

import pytest
from pw_servers import redis_server

from pageworker_demo.toml import toml_text
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.connect import open_queue
from pageworker_supervisor.cli.output import CommandExit
from pageworker_supervisor.cli.rollout_watch import BuildWatch
from pageworker_supervisor.rollouts.build_decision import BuildRules
from pageworker_supervisor.rollouts.build_observation import BuildObservation

ENOUGH = {"old.jobs": 9, "new.jobs": 9}
RULES = BuildRules(attempts=9, seconds=0.0)


async def test_while_redis_is_away_nothing_is_decided(tmp_path: Path) -> None:
    file = tmp_path / "operator.toml"
    with redis_server() as server:
        file.write_text(toml_text({"redis": {"url": server.url}, "worker": {"data_dir": str(tmp_path)}}))
        async with open_queue(file) as opened:
            observation = BuildObservation("next", None, 0.0)
            observation.counts.update(ENOUGH)
            watch = BuildWatch(opened, observation, {0: "0-0"})
            assert (await watch.run(RULES, 30.0)).decision == "promote"
            server.pause()
            assert (await watch.run(RULES, 0.3)).decision == "undecided"
            server.resume()
            server.kill()
            found = await watch.run(RULES, 0.5)
            assert found.decision == "undecided"
            assert found.evidence.startswith("Redis is away: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--canary next --stable next", "the same tag"),
        ("--canary next --after 2h", "--after 2h is longer than --deadline 1h"),
        ("--canary next --deadline soon", "--deadline soon"),
    ],
)
def test_wrong_options_are_refused(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rollout", "watch", *words.split()]) == CommandExit.USAGE
    assert message in capsys.readouterr().err
