"""Problems of a host: all in one text, each with its place and its fix."""

from pageworker_sandbox.launch import HostProblem, HostUnfit, LaunchFailed


def test_an_unfit_host_lists_every_problem_on_a_line() -> None:
    problems = (HostProblem("no browser found", "/x", "install one"), HostProblem("no Python", "/y", "set it"))
    error = HostUnfit(problems)
    assert error.problems == problems
    assert str(error).splitlines() == ["no browser found (/x): install one", "no Python (/y): set it"]


def test_a_failed_launch_is_an_os_error_and_an_unfit_host_is_none() -> None:
    # The supervisor retries after an OSError. An unfit host ends it.
    assert issubclass(LaunchFailed, OSError)
    assert not issubclass(HostUnfit, OSError)
