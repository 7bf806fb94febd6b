"""What a caller of the control socket has to reckon with, by blame."""


class ControlError(Exception):
    """Base. `exit_code` is what `workerctl` ends with."""

    exit_code = 1


class WorkerUnreachable(ControlError):
    """No worker answers on its socket: not started, stopped, or another data folder."""

    exit_code = 3


class WorkerRefused(ControlError):
    """The worker understood and said no."""

    exit_code = 4
