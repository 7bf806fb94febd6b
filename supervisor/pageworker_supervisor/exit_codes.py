"""The daemon's exit codes, and which error ends it with which code. Pure. docs/operations.md has the table."""

from enum import IntEnum

from pageworker_sandbox.launch import HostUnfit
from pageworker_sandbox.signing import KeyUnusable
from pageworker_supervisor.admin.errors import ControlError
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.host.errors import DataFolderFull, DataFolderUnusable, HostRefused
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit, NoRedisServer
from pageworker_supervisor.self_checks.effects import ChecksRefused
from pageworker_supervisor.task_supervision import leaves


class DaemonExit(IntEnum):
    """What the end of the daemon means to the process that starts it."""

    STOPPED = 0
    """Told to stop, by SIGTERM or SIGINT."""
    BUG = 1
    """An unexpected error: please report it. Starting again may help."""
    MISCONFIGURED = 2
    """A setting, a key or an option is wrong, or the data folder cannot be written to: starting again does not help."""
    IN_USE = 3
    """Something that it needs to start is in use or used up: a port, the data folder, space, descriptors. It may pass
    by itself: starting again helps then."""
    CHECK_FAILED = 4
    """A self-check that is set to `refuse` has failed. Starting again helps when that is fixed."""
    HOST_UNFIT = 5
    """The host lacks a program, or a right that `sandbox.require` names: starting again does not help."""


LASTING_FIRST = (
    DaemonExit.BUG,
    DaemonExit.MISCONFIGURED,
    DaemonExit.HOST_UNFIT,
    DaemonExit.CHECK_FAILED,
    DaemonExit.IN_USE,
)
"""Which of several codes ends the daemon: what does not pass by itself counts before what does."""


def exit_of(error: BaseException, *, started: bool) -> tuple[DaemonExit, str]:
    """The code and the one line (a configuration's mistakes: one each) for an error that ended the daemon.

    `started`: whether it had come up. Before that an OSError is a fault of the host, afterwards it is a bug.
    """
    errors = list(leaves(error))
    codes = {_code(one, started=started) for one in errors}
    code = next(code for code in LASTING_FIRST if code in codes)
    if code is not DaemonExit.BUG:
        return code, "; ".join(dict.fromkeys(str(one) or type(one).__name__ for one in errors))
    kinds = "; ".join(dict.fromkeys(f"{type(one).__name__}: {one}" for one in errors))
    return DaemonExit.BUG, f"pageworker ended by a bug: {kinds}".replace("\n", " ")


def _code(error: BaseException, *, started: bool) -> DaemonExit:
    match error:
        case ConfigInvalid() | DataFolderUnusable() | KeyUnusable():
            return DaemonExit.MISCONFIGURED
        case ChecksRefused():
            return DaemonExit.CHECK_FAILED
        case DataFolderFull() | HostUnfit(passing=True):
            return DaemonExit.IN_USE
        case HostUnfit() | HostRefused() | NoRedisServer():
            return DaemonExit.HOST_UNFIT
        case EmbeddedUnfit() | ControlError():
            return DaemonExit.IN_USE
        case OSError() if not started:
            return DaemonExit.IN_USE
        case _:
            return DaemonExit.BUG
