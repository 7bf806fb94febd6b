from dataclasses import replace
from typing import Any

import pytest

from profiles_load.summary import LoadFacts, broken, summary

MIB = 1024**2
GOOD = LoadFacts(
    minutes=10,
    profiles=300,
    jobs=240,
    wrong=0,
    cold=[1.0] * 95 + [1.2] * 5,
    by_hand=[0.9, 1.0, 1.0],
    memory=[100 * MIB, 500 * MIB, 510 * MIB, 500 * MIB, 515 * MIB, 505 * MIB],
    memory_limit=4096 * MIB,
    killed=0,
    idle=[],
    left=[],
)


def test_a_line_has_every_figure() -> None:
    line = summary(GOOD)
    assert (line["suite"], line["jobs"], line["cold_jobs"]) == ("profiles_load", 240, 100)
    assert (line["cold_p95_ms"], line["by_hand_p95_ms"], line["cold_ratio"]) == (1000, 1000, 1.0)
    assert (line["memory_peak_mib"], line["memory_limit_mib"]) == (515, 4096)
    assert line["memory_ratio"] == pytest.approx(510 / 505, abs=0.001)
    assert broken(line) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"cold": [1.4] * 100}, "cold_ratio"),
        ({"memory": [1, 1, 100, 100, 120, 120]}, "memory_ratio"),
        ({"wrong": 1}, "wrong"),
        ({"killed": 1}, "killed_for_memory"),
        ({"idle": ["p7"]}, "idle_runners"),
        ({"left": ["chromium"]}, "left"),
    ],
)
def test_each_bound_is_told_by_its_name(changes: dict[str, Any], name: str) -> None:
    assert broken(summary(replace(GOOD, **changes))) == [name]
