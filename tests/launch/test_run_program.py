"""Programs of the host with a deadline."""

import subprocess
import sys

import pytest

from pageworker_sandbox.launch.run_program import run_program


def test_a_host_that_was_suspended_meanwhile_has_not_lost_its_answer() -> None:
    # The program that is asked stops who asks, and for longer than the answer may take.
    program = "(sleep 1.2; kill -CONT $PPID) >/dev/null 2>&1 & echo said; kill -STOP $PPID"
    code = f"""
from pageworker_sandbox.launch.run_program import run_program
print(run_program(["sh", "-c", {program!r}], 1.0).stdout)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "said"


def test_a_program_that_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(["sleep", "1000"], 0.5)


def test_output_errors_and_status_come_back() -> None:
    ended = run_program(["sh", "-c", "echo out; echo err >&2; exit 3"], 10.0)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("out\n", "err\n", 3)


def test_a_program_gets_no_stdin() -> None:
    assert run_program(["cat"], 10.0).stdout == ""
