from typing import Any

import pytest

from soak.leaks import SLACK, SoakWindow, failed, soak_line

MIB = 1024**2
FIRST = SoakWindow(500, 50.0, [400 * MIB, 402 * MIB, 600 * MIB])
LAST = SoakWindow(500, 51.0, [405 * MIB, 410 * MIB, 404 * MIB])
COUNTS = dict.fromkeys(SLACK, 100)


def test_an_even_run_has_both_ratios_and_no_leak() -> None:
    line = soak_line(5000, FIRST, LAST, COUNTS, COUNTS, [])
    assert line == {"suite": "soak", "jobs": 5000, "pss_ratio": 1.007, "cpu_ratio": 1.02, "leaks": []}
    assert not failed(line)


@pytest.mark.parametrize("name", SLACK)
def test_what_is_left_is_named(name: str) -> None:
    within = soak_line(5000, FIRST, LAST, COUNTS, {**COUNTS, name: 100 + SLACK[name]}, [])
    assert not failed(within)
    line = soak_line(5000, FIRST, LAST, COUNTS, {**COUNTS, name: 101 + SLACK[name]}, [])
    assert line["leaks"] == [f"{name}: 100 before, {101 + SLACK[name]} at the end"]
    assert failed(line)


@pytest.mark.parametrize(
    "changes",
    [
        {"last": SoakWindow(500, 53.0, LAST.pss_bytes)},
        {"last": SoakWindow(500, 51.0, [430 * MIB])},
        {"wrong": ["job-7 ended as failed"]},
    ],
)
def test_each_bound_fails_the_run(changes: dict[str, Any]) -> None:
    given = {"first": FIRST, "last": LAST, "before": COUNTS, "after": COUNTS, "wrong": [], **changes}
    assert failed(soak_line(5000, **given))
