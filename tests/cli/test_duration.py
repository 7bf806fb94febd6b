"""Durations on the command line."""

import pytest

from pageworker_supervisor.cli.duration import seconds_of
from pageworker_supervisor.cli.output import CommandError, CommandExit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("366d", 366 * 86400)],
)
def test_a_number_with_a_unit(text: str, seconds: int) -> None:
    assert seconds_of(text, "--for") == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "m", "30 m", "-5m", "1.5h", "30M", "0s", "367d", "9999999999s", "5m\n", "٣m"]
)
def test_other_texts_are_refused_with_the_option(text: str) -> None:
    with pytest.raises(CommandError, match="--for") as refused:
        seconds_of(text, "--for")
    assert refused.value.exit_code == CommandExit.USAGE
