"""Reads durations such as `30m` from the command line. Pure."""

import re

from pageworker_supervisor.cli.output import CommandError, CommandExit

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST_SECONDS = 366 * 86400

_PARTS = re.compile(r"(?:[0-9]{1,9}[smhd])+\Z")


def seconds_of(text: str, option: str) -> int:
    """`90s`, `30m`, `2h`, `1d`, `1h30m` in seconds: 1 s to 366 days. Raises CommandError that names the option."""
    if not _PARTS.match(text):
        raise CommandError(
            f"{option} {text}: expected a number with a unit",
            "Write e.g. 90s, 30m, 2h, 1d or 1h30m.",
            CommandExit.USAGE,
        )
    seconds = sum(int(number) * UNIT_SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([smhd])", text))
    if not 1 <= seconds <= MOST_SECONDS:
        raise CommandError(f"{option} {text}: expected 1s to {MOST_SECONDS // 86400}d", exit_code=CommandExit.USAGE)
    return seconds
