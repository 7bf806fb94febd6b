"""The commands of `page.clock` as scripts of a page. Pure.

Playwright's driver adds its scripts to the browser context, so they reach the pages of all jobs, and no command removes
them. The same scripts on the pages of one job can be removed. Source: packages/playwright-core/src/server/clock.ts.
"""

import datetime
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

TICKS = re.compile(r"(\d\d:){0,2}\d\d?")
MOST_MS = 8.64e15
"""The latest time that a `Date` of JavaScript can have (ECMA-262, "Time Values and Time Range")."""
LEAST_WITH_EXPONENT = 1e21
"""From here on, JavaScript writes numbers with an exponent, as Python does."""
TIMES = frozenset({"clockInstall", "clockPauseAt", "clockSetFixedTime", "clockSetSystemTime"})
"""Commands with a time."""
CALLS = {
    "clockFastForward": "fastForward",
    "clockInstall": "install",
    "clockPauseAt": "pauseAt",
    "clockResume": "resume",
    "clockRunFor": "runFor",
    "clockSetFixedTime": "setFixedTime",
    "clockSetSystemTime": "setSystemTime",
}
"""What each command calls on the clock of a page."""


class ClockInvalid(Exception):
    """An argument of a clock's command is not valid. The text is Playwright's."""


class ClockStep(Struct, frozen=True):
    """One command. `later`: the script for documents to come. `now`: the script for a document that is there."""

    later: str
    now: str


def clock_step(method: str, params: Mapping[str, Any], now_ms: int, number: int) -> ClockStep:
    """What a command of the clock does at this time, in milliseconds since the epoch. Raises ClockInvalid.

    `number`: of the command in its job. A document does each command once, whichever way its scripts reach it.
    """
    call = CALLS[method]
    arguments = []
    if method in TIMES:
        arguments = [_time_ms(params, now_ms)]
    elif method != "clockResume":
        arguments = [_ticks_ms(params)]
    given = ", ".join(f"{argument:g}" if argument % 1 else str(int(argument)) for argument in arguments)
    logged = ", ".join([f"'{call}'", str(now_ms), *([given] if given else [])])
    return ClockStep(_once(number, f"log({logged})"), _once(number, f"{call}({given})"))


def install_script(source: str, owner: str) -> str:
    """Gives a document a clock of this owner, unless it has one. `source`: Playwright's own, for Chromium."""
    return (
        "(() => {\nif (globalThis.__pwClock) return;\nconst module = {};\n"
        f"{source}\n"
        "globalThis.__pwClock = (module.exports.inject())(globalThis, 'chromium');\n"
        f"globalThis.__pwClock.owner = '{owner}';\n"
        "})();"
    )


def for_popups(script: str, owner: str) -> str:
    """The script for a document that this owner's page has opened. Others are left alone.

    A popup of another site cannot see the page that opened it.
    """
    return (
        "try {\nconst clock = globalThis.__pwClock ?? globalThis.opener?.__pwClock;\n"
        f"if (clock?.owner === '{owner}') {{\n{script}\n}}\n"
        "} catch { /* another site's */ }"
    )


def _once(number: int, call: str) -> str:
    return (
        f"(clock => {{ const done = clock.done ??= []; if (!done[{number}]) {{ done[{number}] = true; "
        f"return clock.controller.{call}; }} }})(globalThis.__pwClock)"
    )


def _time_ms(params: Mapping[str, Any], now_ms: int) -> float:
    text, number = params.get("timeString"), params.get("timeNumber")
    if text is None:
        return now_ms if number is None else _valid_ms(float(number))
    if not text:
        return 0
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        try:
            time = parsedate_to_datetime(text)
        except ValueError:
            raise ClockInvalid(f"Invalid date: {text}") from None
    # A script's text without a zone is in the driver's own, which is UTC.
    return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp() * 1000


def _valid_ms(time_ms: float) -> float:
    if math.isnan(time_ms):
        return 0
    if abs(time_ms) > MOST_MS:
        raise ClockInvalid(f"Invalid date: {_as_in_javascript(time_ms)}")
    return time_ms


def _as_in_javascript(number: float) -> str:
    """The shortest digits that give this number, then zeros. Source: ECMA-262, Number::toString."""
    if not abs(number) < LEAST_WITH_EXPONENT:
        return str(number)
    return f"{Decimal(str(number)):f}".removesuffix(".0")


def _ticks_ms(params: Mapping[str, Any]) -> float:
    text, number = params.get("ticksString"), params.get("ticksNumber")
    if text is None:
        if not math.isfinite(ticks := float(number or 0)):
            raise ClockInvalid(f"Invalid ticks: {ticks}")
        return ticks
    if not text:
        return 0
    if not TICKS.fullmatch(text):
        raise ClockInvalid("Clock only understands numbers, 'mm:ss' and 'hh:mm:ss'")
    parts = [int(part) for part in text.split(":")]
    if max(parts) >= 60:
        raise ClockInvalid(f"Invalid time {text}")
    seconds: int = sum(part * 60**index for index, part in enumerate(reversed(parts)))
    return seconds * 1000
