"""`workerctl module yank --fast`: through Redis. tests/cli/test_publishing.py has the one of the signed index."""

from typing import Any

import pytest

NAME = "shop.product"


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (f"module yank {NAME} 1.0.0 --fast", 4, "channel stable of shop.product get 1.0.0"),
        (f"module yank {NAME} 7.0.0 --fast", 4, "the registry has no shop.product 7.0.0"),
        (f"module yank {NAME} 1.0.0 --fast --undo", 4, "is not withdrawn"),
        (f"module yank {NAME} 1.0.0", 2, "give --key or --fast"),
    ],
)
def test_refusals_change_nothing(said: Any, line: str, code: int, message: str) -> None:
    found, err = said(line)
    assert found == code
    assert message in err
    assert said("rollout")[1] == []


def test_a_fast_yank_withdraws_a_version_and_is_undone(said: Any) -> None:
    assert said(f"module rollback {NAME} 1.0.0")[0] == 4
    said(f"module rollout {NAME} 1.2.0 --percent 10")
    code, refused = said(f"module yank {NAME} 1.2.0 --fast")
    assert code == 4, "workers of the channel next get it"
    assert "channel next" in refused
    said(f"module rollback {NAME}")
    assert said(f"module yank {NAME} 1.2.0 --fast")[1]["withdrawn"] == ["1.2.0"]
    assert "withdrawn" in said(f"module rollout {NAME} 1.2.0 --again")[1]
    assert said(f"module yank {NAME} 1.2.0 --fast --undo")[1]["withdrawn"] == []
