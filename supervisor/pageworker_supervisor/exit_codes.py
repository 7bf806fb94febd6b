"""The daemon's exit codes, and which error ends it with which code. Pure. docs/operations.md has the table."""

from enum import IntEnum

from pageworker_sandbox.launch import HostUnfit
from pageworker_sandbox.signing import KeyUnusable
from pageworker_supervisor.admin.errors import ControlError
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.self_checks.effects import ChecksRefused
from pageworker_supervisor.task_supervision import leaves


class DaemonExit(IntEnum):
    """What the end of the daemon means to the process that starts it."""

    STOPPED = 0
    """Told to stop, by SIGTERM or SIGINT."""
    BUG = 1
    """An unexpected error: please report it. Starting again may help."""
    UNFIT = 2
    """The configuration, a key or the host is unfit: starting again does not help."""
    IN_USE = 3
    """Something that it needs to start is in use or missing: a port, the data folder, space, descriptors, a
    redis-server. Starting again helps when that is fixed."""
    CHECK_FAILED = 4
    """A self-check that is set to `refuse` has failed. Starting again helps when that is fixed."""


UNFIT = (ConfigInvalid, HostUnfit, HostRefused, KeyUnusable)
IN_USE = (EmbeddedUnfit, ControlError)


def exit_of(error: BaseException, *, started: bool) -> tuple[DaemonExit, str]:
    """The code and the one line (a configuration's mistakes: one each) for an error that ended the daemon.

    `started`: whether it had come up. Before that an OSError is a fault of the host, afterwards it is a bug.
    """
    errors = list(leaves(error))
    text = "; ".join(dict.fromkeys(str(one) or type(one).__name__ for one in errors))
    if all(isinstance(one, UNFIT) for one in errors):
        return DaemonExit.UNFIT, text
    if all(isinstance(one, ChecksRefused) for one in errors):
        return DaemonExit.CHECK_FAILED, text
    if all(isinstance(one, IN_USE) or (isinstance(one, OSError) and not started) for one in errors):
        return DaemonExit.IN_USE, text
    kinds = "; ".join(dict.fromkeys(f"{type(one).__name__}: {one}" for one in errors))
    return DaemonExit.BUG, f"pageworker ended by a bug: {kinds}".replace("\n", " ")
