"""The words for the end of a runner's process."""

import pytest

from pageworker_runner.exit_codes import RunnerExit
from pageworker_sandbox.launch import ExitStatus
from pageworker_supervisor.runners.runner_exit import MEANINGS, exit_reason


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ExitStatus(None, 9), "the runner was ended by SIGKILL"),
        (ExitStatus(137, None), "the runner was ended by SIGKILL"),
        (ExitStatus(255, None), "the runner was ended by signal 127"),
        (ExitStatus(71, None), "the runner exited: its browser, or Playwright's driver, ended"),
        (ExitStatus(3, None), "the runner exited with code 3: a module may have called os._exit"),
    ],
)
def test_an_end_is_told_in_words(status: ExitStatus, text: str) -> None:
    assert exit_reason(status).startswith(text)


def test_the_codes_are_those_of_the_runner() -> None:
    """The others end no job: before it is up, or once it was told to stop."""
    unused = {RunnerExit.STOPPED, RunnerExit.NOT_STARTED, RunnerExit.NOT_FLUSHED}
    assert set(MEANINGS) == set(RunnerExit) - unused
