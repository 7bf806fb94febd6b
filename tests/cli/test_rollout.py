"""`workerctl module rollout|promote|rollback|status` and `workerctl rollout`, on a real Redis and index."""

import json
from typing import Any

import pytest
from cli.conftest import OnQueue

from pageworker_supervisor.cli.app import run

NAME = "shop.product"


def test_a_rollout_grows_is_promoted_and_rolled_back(said: Any) -> None:
    code, answer = said(f"module rollout {NAME} 1.1.0 --percent 10 --reason new")
    assert (code, answer["revision"]) == (0, 1)
    begun = answer["rollout"]
    assert (begun["from_version"], begun["to_version"], begun["state"], begun["percent"]) == (
        *("1.0.0", "1.1.0"),
        *("running", 10),
    )
    assert begun["why"] == "new"
    grown = said(f"module rollout {NAME} 1.1.0 --percent 50 --tag canary")[1]["rollout"]
    assert (grown["id"], grown["percent"], grown["tags"]) == (begun["id"], 50, ["canary"])
    promoted = said(f"module promote {NAME}")[1]
    assert (promoted["rollout"]["state"], promoted["replaced"]) == ("promoted", {"1.0.0": "1.1.0"})
    back = said(f"module rollback {NAME}")[1]
    assert (back["rollout"]["state"], back["replaced"], back["rolled_back"]) == (
        *("rolled_back", {"1.1.0": "1.0.0"}),
        ["1.1.0"],
    )
    code, refused = said(f"module promote {NAME} 1.1.0")
    assert code == 4
    assert "--again" in refused
    assert said(f"module promote {NAME} 1.1.0 --again")[1]["rolled_back"] == []
    (listed,) = said("rollout")[1]
    assert (listed["module"], listed["revision"], listed["replaced"]) == (NAME, 5, {"1.0.0": "1.1.0"})
    shown = said(f"module status {NAME}")[1]
    assert shown["channels"] == {"stable": "1.0.0", "canary": "1.1.0", "next": "1.2.0"}
    recorded = json.dumps(said("audit list")[1])
    # Two were done and one was refused, each requested and ended.
    assert recorded.count('"module.promote"') == 6
    assert recorded.count('"module.rollback"') == 2


def test_a_rollback_without_a_rollout_goes_to_the_next_lower_version(said: Any) -> None:
    assert said(f"module promote {NAME} 1.2.0")[0] == 0
    assert said(f"module rollback {NAME} 1.1.0")[1]["replaced"] == {"1.2.0": "1.1.0", "1.0.0": "1.2.0"}
    assert said(f"module rollback {NAME}")[1]["rollout"]["to_version"] == "1.1.0"
    code, refused = said(f"module rollback {NAME}")
    assert code == 4
    assert "no version below 1.0.0 is left" in refused


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (f"module rollout {NAME} 9.9.9", 4, "the signed index does not permit shop.product 9.9.9"),
        ("module rollout shop.other 1.0.0", 4, "the registry has no module shop.other"),
        (f"module rollout {NAME} 1.0.0", 4, "jobs get 1.0.0 already"),
        (f"module rollout {NAME} 1.1.0 --percent 0", 2, "above 0 and at most 100"),
        (f"module rollout {NAME}", 2, "name a version, or --stop"),
        (f"module rollout {NAME} --stop", 4, "no rollout is running"),
        (f"module promote {NAME}", 4, "the module has no rollout"),
    ],
)
def test_refusals_change_nothing(said: Any, line: str, code: int, message: str) -> None:
    found, err = said(line)
    assert found == code
    assert message in err
    assert said("rollout")[1] == []


def test_what_people_read(shelf: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rollout"]) == 0
    assert "No module has a rollout." in capsys.readouterr().out
    run(["module", "rollout", NAME, "1.1.0", "--percent", "12.5", "--reason", "faster"])
    assert run(["module", "status", NAME]) == 0
    text = capsys.readouterr().out
    assert "shop.product 1.0.0 -> 1.1.0: running, 12.5 % of the jobs" in text
    assert "faster" in text
    assert "channel canary: 1.1.0" in text
    assert "so far: e-value" in text
    run(["rollout"])
    assert "12.5" in capsys.readouterr().out
