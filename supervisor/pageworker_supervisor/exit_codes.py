"""How the daemon ends: its exit codes, and which error ends it with which. Pure. docs/operations.md has the table."""

from collections.abc import Iterator
from enum import IntEnum

from pageworker_sandbox.launch import HostUnfit
from pageworker_sandbox.signing import KeyUnusable
from pageworker_supervisor.admin.errors import ControlError
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit


class DaemonExit(IntEnum):
    """What the daemon's end means to whoever starts it."""

    STOPPED = 0
    """Told to stop, by SIGTERM or SIGINT."""
    BUG = 1
    """Something that nobody expected: please report it. Starting again may help."""
    UNFIT = 2
    """The configuration, a key or the host is not fit: starting again does not help."""
    IN_USE = 3
    """Something it needs to start is in use or not to be had: a port, the data folder, space, descriptors, a
    redis-server. Starting again helps when that is fixed."""


UNFIT = (ConfigInvalid, HostUnfit, HostRefused, KeyUnusable)
IN_USE = (EmbeddedUnfit, ControlError)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, and in the groups in it; an error that is no group itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def exit_of(error: BaseException, *, started: bool) -> tuple[DaemonExit, str]:
    """The code and the one line (a configuration's mistakes: one each) for an error that ended the daemon.

    `started`: whether it had come up. Before that an OSError is the host's, afterwards it is a bug.
    """
    errors = list(leaves(error))
    text = "; ".join(dict.fromkeys(str(one) or type(one).__name__ for one in errors))
    if all(isinstance(one, UNFIT) for one in errors):
        return DaemonExit.UNFIT, text
    if all(isinstance(one, IN_USE) or (isinstance(one, OSError) and not started) for one in errors):
        return DaemonExit.IN_USE, text
    kinds = "; ".join(dict.fromkeys(f"{type(one).__name__}: {one}" for one in errors))
    return DaemonExit.BUG, f"pageworker ended by a bug: {kinds}".replace("\n", " ")
