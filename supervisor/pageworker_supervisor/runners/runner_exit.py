"""Why a runner's process ended, in words for results. Pure."""

import signal

from pageworker_sandbox.launch import ExitStatus

SHELL_SIGNAL = 128
"""bubblewrap exits with this much more than the number of the signal that ended its program."""
MEANINGS = {
    71: "its browser, or Playwright's driver, ended",
    72: "it lost the connection to its worker",
    74: "it was ended by a bug of its own: the worker's log has the traceback",
}
"""Exit codes of `pageworker_runner.exit_codes`. A test holds them together."""


def exit_reason(status: ExitStatus) -> str:
    """`the runner was ended by SIGKILL`."""
    number = signal_of(status)
    if number is not None:
        return f"the runner was ended by {_name(number)}"
    if status.code in MEANINGS:
        return f"the runner exited: {MEANINGS[status.code]}"
    return f"the runner exited with code {status.code}: a module may have called os._exit"


def signal_of(status: ExitStatus) -> int | None:
    """The signal that ended the program; None if it exited."""
    if status.signal is None and status.code is not None and status.code > SHELL_SIGNAL:
        return status.code - SHELL_SIGNAL
    return status.signal


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
