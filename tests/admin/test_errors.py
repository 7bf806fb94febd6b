"""The exit codes are the contract's."""

from pageworker_supervisor.admin.errors import ControlError, WorkerRefused, WorkerUnreachable


def test_exit_codes_tell_who_is_to_blame() -> None:
    assert (ControlError.exit_code, WorkerUnreachable.exit_code, WorkerRefused.exit_code) == (1, 3, 4)
    assert issubclass(WorkerUnreachable, ControlError)
    assert issubclass(WorkerRefused, ControlError)
