"""Errors of the control socket, split by blame. `exit_code` is the exit code of `workerctl`."""


class ControlError(Exception):
    """Base class: the worker failed to answer as agreed."""

    exit_code = 1


class WorkerUnreachable(ControlError):
    """No worker answers on the socket: it is not started, has stopped, or uses another data folder."""

    exit_code = 3


class WorkerRefused(ControlError):
    """The worker refused the request: its state does not allow it, or the caller has no permission."""

    exit_code = 4
