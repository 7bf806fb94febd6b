"""The commands of the clock become the scripts that Playwright's driver would run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_runner.pages.clock_steps import CALLS, TIMES, ClockInvalid, clock_step, for_popups, install_script

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("method", "params", "call"),
    [
        ("clockInstall", {}, f"install({NOW})"),
        ("clockInstall", {"timeNumber": 0}, "install(0)"),
        ("clockInstall", {"timeNumber": 1000}, "install(1000)"),
        ("clockSetFixedTime", {"timeString": "2024-02-02"}, "setFixedTime(1706832000000)"),
        ("clockSetFixedTime", {"timeString": "2024-02-02T08:00:00"}, "setFixedTime(1706860800000)"),
        ("clockSetFixedTime", {"timeString": "2024-02-02T08:00:00.5+01:00"}, "setFixedTime(1706857200500)"),
        ("clockSetSystemTime", {"timeString": "Fri, 02 Feb 2024 08:00:00 GMT"}, "setSystemTime(1706860800000)"),
        ("clockPauseAt", {"timeNumber": 7}, "pauseAt(7)"),
        ("clockResume", {}, "resume()"),
        ("clockRunFor", {"ticksNumber": 1.5}, "runFor(1.5)"),
        ("clockRunFor", {"ticksString": "08"}, "runFor(8000)"),
        ("clockFastForward", {"ticksString": "01:02:03"}, "fastForward(3723000)"),
        ("clockFastForward", {"ticksString": "02:03"}, "fastForward(123000)"),
        ("clockFastForward", {}, "fastForward(0)"),
    ],
)
def test_a_command_is_a_call_now_and_a_line_of_the_log_for_later(method: str, params: Any, call: str) -> None:
    step = clock_step(method, params, NOW, 3)
    assert step.now.count(f"done[3] = true; return clock.controller.{call};") == 1
    name, _, given = call.removesuffix(")").partition("(")
    rest = f", {given}" if given else ""
    assert step.later.count(f"done[3] = true; return clock.controller.log('{name}', {NOW}{rest});") == 1


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("clockInstall", {"timeString": "yesterday"}, "Invalid date: yesterday"),
        ("clockPauseAt", {"timeNumber": 1795786800000000000}, "Invalid date: 1795786800000000000"),
        # Its nearest double is 1795815315080999936.
        ("clockPauseAt", {"timeNumber": 1795815315081000000}, "Invalid date: 1795815315081000000"),
        ("clockInstall", {"timeNumber": -8640000000000001}, "Invalid date: -8640000000000001"),
        ("clockSetFixedTime", {"timeNumber": float("inf")}, "Invalid date: inf"),
        ("clockRunFor", {"ticksString": "1:2"}, "Clock only understands numbers, 'mm:ss' and 'hh:mm:ss'"),
        ("clockRunFor", {"ticksString": "00:61"}, "Invalid time 00:61"),
        ("clockRunFor", {"ticksNumber": float("inf")}, "Invalid ticks: inf"),
    ],
)
def test_what_is_not_valid_is_told_as_playwright_does(method: str, params: Any, text: str) -> None:
    with pytest.raises(ClockInvalid, match=text):
        clock_step(method, params, NOW, 3)


@given(st.sampled_from(sorted(CALLS)), st.text())
def test_no_text_of_a_module_becomes_a_part_of_a_script(method: str, text: str) -> None:
    params = {"timeString": text} if method in TIMES else {"ticksString": text}
    try:
        step = clock_step(method, params, NOW, 3)
    except ClockInvalid:
        return
    given = step.now.partition("clock.controller.")[2].partition("(")[2].partition(")")[0]
    assert given == "" or float(given) == float(given)


def test_a_script_for_popups_asks_for_the_owner_first() -> None:
    script = for_popups(install_script("SOURCE", "me"), "me")
    assert script.index("clock?.owner === 'me'") < script.index("SOURCE") < script.index("__pwClock.owner = 'me'")
